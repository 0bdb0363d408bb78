"""Has recorded values shown and compared by a process of its own, which may die of them.

The process is `values`.  It gets the environment of the run's processes, so that what is loaded
looks as it did there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, NamedTuple, TypeVar

import msgspec

from ..errors import RunError
from ..launch import commands
from ..launch.surround import around
from ..rundir import RunInfo
from .questions import Compare, Difference, Item, Pair, Show, Start, receive, send

DEATHS = 20  # after so many, what is left is not looked at one by one any more
LIMIT_S = 120.0  # for what is told only by the way

_T = TypeVar("_T")
_A = TypeVar("_A")


class Death(NamedTuple):
    """The process has died of a value; of what."""

    why: str


class Loader:
    """The process; it is started with the first question, and again when it has died of one.

    Parameters
    ----------
    info : RunInfo
    by_the_way : bool
        The values belong to something that is told without them too.  So they may not take long,
        and what the user's modules print is kept back (its last line says why they failed).
    """

    def __init__(self, info: RunInfo, *, by_the_way: bool = False) -> None:
        self._info = info
        self._by_the_way = by_the_way
        self._process: subprocess.Popen[bytes] | None = None
        self._printed: IO[bytes] | None = None
        self._until: float | None = None
        self._deaths = 0

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._end()

    def show(
        self, how: str, functions: dict[bytes, bytes], items: Sequence[Item]
    ) -> list[bytes | str]:
        """Return each item as shown; a text says why where the process died of it."""
        found = self._each(items, lambda some: Show(how, functions, some), bytes)
        died = "cannot be loaded here: the process that loads it died of"
        return [f"{died} {one.why}" if isinstance(one, Death) else one for one in found]

    def compare(self, pairs: Sequence[Pair]) -> list[Difference]:
        """Return how each pair differs; the texts say why where the process died of it."""
        found = self._each(pairs, Compare, Difference)
        return [_unknown(one) if isinstance(one, Death) else one for one in found]

    def _each(
        self, things: Sequence[_T], question: Callable[[list[_T]], Show | Compare], kind: type[_A]
    ) -> list[_A | Death]:
        """Ask about things; those that the process does not die of are answered."""
        if not things:
            return []
        answer = self._ask(question(list(things)))
        if not isinstance(answer, Death):
            return list(msgspec.msgpack.decode(answer, type=list[kind]))  # type: ignore[valid-type]
        if len(things) == 1 or self._deaths > DEATHS or self._is_late():
            return [answer] * len(things)
        middle = len(things) // 2
        first = self._each(things[:middle], question, kind)
        return first + self._each(things[middle:], question, kind)

    def _ask(self, question: Show | Compare) -> bytes | Death:
        if self._is_late():
            return Death(f"not within {LIMIT_S:.0f} s")
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = self._limit(process)
        try:
            send(process.stdin, msgspec.msgpack.encode(question))  # type: ignore[arg-type]
            answer = receive(process.stdout)  # type: ignore[arg-type]
        except BrokenPipeError:
            answer = None
        finally:
            if limit is not None:
                limit.cancel()
        return answer if answer is not None else self._death()

    # ---- the process ---------------------------------------------------------------------------

    def _start(self) -> subprocess.Popen[bytes]:
        info = self._info
        here = around(info.surroundings)
        if self._by_the_way:
            self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - `_end` closes it
        try:
            self._process = subprocess.Popen(
                here.command(commands.values()), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._printed, env=here.environment(
                    commands.environment(info.seed, stdout_is_read=False, info=info)
                ),
                cwd=info.cwd if os.path.isdir(info.cwd) else None,
            )  # fmt: skip
        except OSError as error:
            raise RunError(
                f"cannot load values in {info.cwd}, where the script ran: {error.strerror}"
            ) from error
        assert self._process.stdin is not None
        start = msgspec.msgpack.encode(Start(info.script, info.args, info.path))
        try:
            send(self._process.stdin, start)  # type: ignore[arg-type]
        except BrokenPipeError:
            if not self._by_the_way:
                print("scoop-ft: the process that loads values died at once", file=sys.stderr)
        return self._process

    def _limit(self, process: subprocess.Popen[bytes]) -> threading.Timer | None:
        """End the process when it takes too long."""
        if not self._by_the_way:
            return None
        if self._until is None:
            self._until = time.monotonic() + LIMIT_S
        timer = threading.Timer(max(0.0, self._until - time.monotonic()), process.kill)
        timer.daemon = True
        timer.start()
        return timer

    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _death(self) -> Death:
        printed, self._printed = self._printed, None
        code = self._end()
        self._deaths += 1
        said: list[str] = []
        if printed is not None:
            with printed:
                printed.seek(0)
                said = printed.read().decode(errors="replace").strip().splitlines()
        if self._is_late():
            return Death(f"not within {LIMIT_S:.0f} s")
        return Death(said[-1] if said else f"signal {-code}" if code < 0 else f"exit code {code}")

    def _end(self) -> int:
        process, self._process = self._process, None
        if self._printed is not None:
            self._printed.close()
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return process.wait()


def _unknown(death: Death) -> Difference:
    text = f"<cannot be loaded here: {death.why}>"
    return Difference(False, text, text, [])
