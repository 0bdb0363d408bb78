"""One `Executor.map` under way: what is submitted ahead, what is yielded, what is given up.

Results are not futures here: calls go out and come back in batches, as with `futures.map`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..client.groups import outcome
from ..client.runtime import Runtime
from ..client.scopes import Definition, Part
from ..errors import TimeoutError  # the built-in one only since Python 3.11
from ..wire import messages as wire

if TYPE_CHECKING:
    from .serving import Server

_PLAIN = (list, tuple, range, str, bytes, dict, set, frozenset)  # to read them runs no user code


class Mapping:
    """Calls of one function for many items.

    Parameters
    ----------
    runtime : Runtime
    function : Definition
    iterables : sequence of iterables
    timeout : float or None
        Seconds for all of it, from now on.
    buffersize : int or None
        How many calls may be submitted whose results were not taken.
    server : Server or None
        Of the executor, which does not end before the calls have.
    """

    def __init__(
        self,
        runtime: Runtime,
        function: Definition,
        iterables: Sequence[Iterable[Any]],
        timeout: float | None,
        buffersize: int | None,
        *,
        server: Server | None,
    ) -> None:
        self._runtime = runtime
        self._function = function
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._ahead = buffersize
        self._plain = all(type(items) in _PLAIN for items in iterables)
        self._calls: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
        self._parts: deque[Part] = deque()
        self._server = server
        self._taken = 0  # since calls were last submitted
        self._item = 0  # whose result comes next

    def begin(self) -> None:
        """Submit what may be submitted before a result is taken."""
        self._submit(self._ahead)

    def _submit(self, most: int | None) -> None:
        calls = self._calls if most is None else islice(self._calls, most)
        parts = self._runtime.submit_many(self._function, calls, self._plain)
        self._runtime.flush()
        self._parts.extend(parts)
        if self._server is not None and parts:
            self._server.expect_all(parts)

    def results(self) -> Iterator[Any]:
        """Yield the results in order, while there is time."""
        while self._is_there(self._left()):
            yield self._pop()  # no name of ours holds on to it

    def _left(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def next(self, timeout_s: float | None) -> Any:
        """Return the next result, or raise what its call has raised.

        Raises
        ------
        StopIteration
            There is none.
        TimeoutError
            It is not there in time, and may be asked for again.
        """
        if not self._is_there(timeout_s):
            raise StopIteration
        return self._pop()

    def _is_there(self, timeout_s: float | None) -> bool:
        """Wait for the next result; False: there is none."""
        while self._parts and not self._parts[0][2]:
            self._parts.popleft()
        if not self._parts:
            return False
        group, index, _ = self._parts[0]
        if not group.done(index) and not self._runtime.wait(
            lambda: group.done(index), (group,), timeout_s
        ):
            raise TimeoutError(f"the result of item {self._item} was not there in time")
        return True

    def _pop(self) -> Any:
        group, index, count = self._parts[0]
        self._parts[0] = (group, index + 1, count - 1)
        found = group.find(index)
        assert found is not None
        value, error = outcome(*found)
        group.let_go(index)
        self._item += 1
        self._go_on()
        if error is not None:
            raise error
        return value

    def _go_on(self) -> None:
        """A result was taken: there is room for another call."""
        if self._ahead is None:
            return
        self._taken += 1
        if self._taken >= max(1, self._ahead // 2):
            taken, self._taken = self._taken, 0
            self._submit(taken)

    def close(self) -> None:
        """Nobody takes more: what has not begun will not be computed."""
        ranges = [(g.first + i, g.first + i + n) for g, i, n in self._parts if n]
        self._parts.clear()
        if not ranges or self._runtime.session.ended:
            return
        scope = self._runtime.scope()
        with self._runtime.link.state:
            self._runtime.session.ask(lambda r: wire.Cancel(r, scope.task, ranges))
        self._runtime.link.wake()
