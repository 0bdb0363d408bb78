"""``python -m scoop_ft.code.check RUN_DIR``: what the functions of a run mean now.

Before a run is resumed, the launcher gives this process the recorded functions; it loads them as a
worker would, which imports the user's code, and says the digest of each.  It is a process of its
own since user code runs neither in the launcher nor in the broker.  Reads standard input, writes
standard output once; what user code prints goes nowhere, unless it fails.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import msgspec

from ..errors import MissingMainGuard, ScriptImportError
from ..ids import DIGEST_BYTES

GONE: Final = bytes(DIGEST_BYTES)  # in place of the digest of a function that is not there
REWRITTEN: Final = b"\xff" * DIGEST_BYTES  # of one without a name whose code is not there


class Question(msgspec.Struct):
    """How the script is started, and the pickles of functions."""

    script: str
    args: list[str]
    blobs: list[bytes]


class Answer(msgspec.Struct):
    """For each function its digest, empty where it is not known, and its sources; or an error."""

    codes: list[tuple[bytes, list[tuple[str, int, int]]]]
    error: str = ""


class _Failed(Exception):
    """The user's code cannot be imported; the message says why."""


def main() -> None:
    """Answer one question, and end."""
    from ..lifeline import hold

    hold()
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    from .. import script
    from ..rundir import RunDir

    script.find_modules_in(RunDir(sys.argv[1]).info().import_path)
    if question.script:
        script.prepare_worker(question.script, question.args)
    try:
        answer = Answer([_code(blob) for blob in question.blobs])
    except _Failed as error:
        answer = Answer([], str(error))
    with open(out, "wb", closefd=True) as file:
        file.write(msgspec.msgpack.encode(answer))
    os._exit(0)  # threads that user code has left behind are not waited for


def _code(blob: bytes) -> tuple[bytes, list[tuple[str, int, int]]]:
    from ..client.scopes import describe
    from .digest import is_rewritten

    function = _load(blob)
    if function is None:
        return GONE, []
    code, _, sources = describe(function)
    return REWRITTEN if is_rewritten(function) else code, list(sources)


def _load(blob: bytes) -> Any | None:
    """Return a function, None when it is not there any more."""
    from .. import script
    from ..functions import load_function

    try:
        return load_function(blob)
    except (MissingMainGuard, ScriptImportError) as error:
        if script.module() is None:
            raise _Failed(str(error)) from error
        return None
    except AttributeError:
        return None
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.encode() in blob:
            return None
        raise _Failed(_told(error)) from error
    except (Exception, SystemExit) as error:
        raise _Failed(_told(error)) from error


def _told(error: BaseException) -> str:
    import traceback

    trace = error.__traceback__
    ours = os.path.dirname(os.path.dirname(__file__))
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(ours):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    return f"a module of the script failed when it was imported:\n{text}"


if __name__ == "__main__":
    main()
