"""Futures in the order in which they end: what `as_completed` and `wait` stand on.

Looks only at what has arrived since it last looked, so that ten thousand futures do not cost ten
thousand looks each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from .groups import Group

T = TypeVar("T")


class Completions(Generic[T]):
    """Things that stand for results, by when these arrive.

    Parameters
    ----------
    items : iterable of (item, group, index)
        No two of the same result.  A million may be waited for, so no object is kept for each.
    """

    def __init__(self, items: Iterable[tuple[T, Group, int]]) -> None:
        self._waiting: dict[Group, dict[int, T]] = {}
        self._seen: dict[Group, int] = {}
        self._changed: deque[Group] = deque()
        self._watchers: dict[Group, Callable[[], None]] = {}
        self.ready: deque[T] = deque()
        self.add(items)

    def __len__(self) -> int:
        return len(self.ready) + sum(map(len, self._waiting.values()))

    def add(self, items: Iterable[tuple[T, Group, int]]) -> None:
        """Wait for more."""
        groups: dict[Group, dict[int, T]] = {}
        last, mine = None, {}  # type: Group | None, dict[int, T]
        for item, group, index in items:
            if group is not last:
                last = group
                mine = groups[group] = self._waiting.setdefault(group, {})
            mine[index] = item
        for group in groups:
            if group not in self._watchers:
                self._watch(group)
            self._seen[group] = 0
            self._changed.append(group)

    def _watch(self, group: Group) -> None:
        def changed() -> None:
            self._changed.append(group)

        group.watchers.append(changed)
        self._watchers[group] = changed

    def _drop(self, group: Group) -> None:
        """Nothing of it is waited for any more: its results may go when they were taken."""
        group.watchers.remove(self._watchers.pop(group))
        del self._waiting[group], self._seen[group]

    def groups(self) -> list[Group]:
        """Return the groups whose arrivals matter still."""
        return list(self._waiting)

    def look(self) -> bool:
        """Take in what has arrived; tell whether an item is ready."""
        while self._changed:
            group = self._changed.popleft()
            waiting = self._waiting.get(group)
            if waiting is None:
                continue  # all of it has come
            # Another thread may bring more meanwhile: what is looked at is what was there now.
            arrivals = group.arrivals[self._seen[group] :]
            self._seen[group] += len(arrivals)
            for start, stop, _, _ in arrivals:
                if len(waiting) < stop - start:
                    found = sorted(index for index in waiting if start <= index < stop)
                else:
                    found = [index for index in range(start, stop) if index in waiting]
                self.ready.extend(map(waiting.pop, found))
            if not waiting:
                self._drop(group)
        return bool(self.ready)

    def close(self) -> None:
        """Stop watching."""
        for group, watcher in self._watchers.items():
            group.watchers.remove(watcher)
        self._watchers.clear()
