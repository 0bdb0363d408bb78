"""``python -m scoop_ft.inspect.values``: loads recorded values and says what they are.

A process of its own, for loading runs user code.  It has the script's modules as a worker has them,
reads `questions` from standard input and answers each on standard output.  Whatever the user's
modules print goes to standard error.
"""

from __future__ import annotations

import os
import sys

import msgspec

from .comparing import difference
from .questions import Compare, Difference, Show, Start, receive, send
from .shown import HOW


def main() -> None:
    """Answer questions until there are no more."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    start = msgspec.msgpack.decode(receive(source) or b"", type=Start)
    from .. import script

    script.prepare_worker(start.script, start.args)
    if start.path and start.path not in sys.path:
        sys.path.insert(1, start.path)
    decoder = msgspec.msgpack.Decoder(Show | Compare)
    while (message := receive(source)) is not None:
        send(target, msgspec.msgpack.encode(_answer(decoder.decode(message))))
    sys.stdout.flush()
    os._exit(0)  # threads that user code has left behind are not waited for


def _answer(question: Show | Compare) -> list[bytes] | list[Difference]:
    if isinstance(question, Compare):
        return [difference(pair) for pair in question.pairs]
    shown = HOW[question.how]
    return [shown(item, question.functions) for item in question.items]


if __name__ == "__main__":
    main()
