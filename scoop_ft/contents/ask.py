"""Has recorded values shown by a process of its own (see `values`), which may die of them.

It gets the environment of the run's processes, so that what is loaded looks as it did there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType

import msgspec

from ..errors import RunError
from ..launch import commands
from ..rundir import RunInfo
from .values import Chunk, Item, Start, receive, send

DEATHS = 20  # after so many, what is left is not looked at one by one any more


class Values:
    """The process; it is started with the first question, and again when it has died of one."""

    def __init__(self, info: RunInfo) -> None:
        self._info = info
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    def __enter__(self) -> Values:
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
        if not items:
            return []
        shown = self._ask(Chunk(how, functions, list(items)))
        if isinstance(shown, list):
            return list(shown)
        if len(items) == 1 or self._deaths > DEATHS:
            return [shown] * len(items)
        middle = len(items) // 2  # those that it does not die of are shown
        return [
            *self.show(how, functions, items[:middle]),
            *self.show(how, functions, items[middle:]),
        ]

    def _ask(self, chunk: Chunk) -> list[bytes] | str:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send(process.stdin, msgspec.msgpack.encode(chunk))  # type: ignore[arg-type]
            answer = receive(process.stdout)  # type: ignore[arg-type]
        except BrokenPipeError:
            answer = None
        if answer is not None:
            return msgspec.msgpack.decode(answer, type=list[bytes])
        code = self._end()
        self._deaths += 1
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"cannot be loaded here: the process that loads it died of {how}"

    def _start(self) -> subprocess.Popen[bytes]:
        info = self._info
        environment = commands.environment(info.seed, stdout_is_read=False)
        command = commands.values()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                cwd=info.cwd,
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
            print("scoop-ft: the process that loads values died at once", file=sys.stderr)
        return self._process

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return process.wait()
