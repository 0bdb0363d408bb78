"""Which futures wait for which results, and which of them have come.

Looks only at what has arrived since it last looked.  It waits for nothing and sends nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..client.groups import Chunk, Group, Single

if TYPE_CHECKING:
    from .future import Future

Arrived = tuple["Future", Chunk | Single, int]


class Arrivals:
    """The futures of one executor that have no result yet.

    Parameters
    ----------
    state : lock
        Held by whoever brings results while they are put into groups.
    """

    def __init__(self, state: threading.RLock) -> None:
        self._state = state
        self._waiting: dict[Group, dict[int, Future]] = {}
        self._seen: dict[Group, int] = {}
        self._watchers: dict[Group, Callable[[], None]] = {}
        self._changed: deque[Group] = deque()

    def __len__(self) -> int:
        with self._state:
            return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def expect(self, group: Group, index: int, future: Future) -> None:
        """A future waits for the result at this index."""
        with self._state:
            waiting = self._waiting.get(group)
            if waiting is None:
                waiting = self._waiting[group] = {}
                self._watch(group)
            waiting[index] = future
            if group.missing != group.count:  # something has come before we were told of it
                self._seen[group] = 0
                self._changed.append(group)

    def _watch(self, group: Group) -> None:
        def changed() -> None:
            self._changed.append(group)

        group.watchers.append(changed)
        self._watchers[group] = changed
        self._seen[group] = 0

    def come(self) -> bool:
        """Has something arrived since the last look?"""
        return bool(self._changed)

    def take(self) -> Iterator[Arrived]:
        """Yield the futures whose results have come, each with the place of its result."""
        while self._changed:
            group = self._changed.popleft()
            found: list[Arrived] = []
            with self._state:
                waiting = self._waiting.get(group)
                if waiting is None:
                    continue
                arrivals = group.arrivals[self._seen[group] :]
                self._seen[group] += len(arrivals)
                for start, stop, chunk, position in arrivals:
                    for index in range(start, stop):
                        future = waiting.pop(index, None)
                        if future is not None:
                            found.append((future, chunk, position + index - start))
                if not waiting:
                    group.watchers.remove(self._watchers.pop(group))
                    del self._waiting[group], self._seen[group]
            yield from found

    def ordinals(self) -> list[int]:
        """Return which calls are waited for."""
        with self._state:
            return [g.first + i for g, waiting in self._waiting.items() for i in waiting]

    def give_up(self) -> list[Future]:
        """Forget all that is waited for; return it."""
        with self._state:
            futures = [f for waiting in self._waiting.values() for f in waiting.values()]
            for group, changed in self._watchers.items():
                group.watchers.remove(changed)
            self._waiting.clear()
            self._watchers.clear()
            self._seen.clear()
        return futures
