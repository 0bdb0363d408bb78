"""Results that arrive, in another thread, while somebody looks."""

from __future__ import annotations

from typing import Any

from scoop_ft.client.completions import Completions
from scoop_ft.client.groups import Arrival, Group, Single

ONE = Single(0, b"", ())


class Arrivals(list[Arrival]):
    """What has arrived; the next result comes the moment somebody has looked."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(key, slice) and len(self) == 1:
            self.group.put(1, 2, ONE, 0)
        return found


def test_what_arrives_during_a_look_is_seen_by_the_next() -> None:
    group = Group(0, 2)
    group.arrivals = Arrivals(group)
    completions = Completions([("a", group, 0), ("b", group, 1)])
    group.put(0, 1, ONE, 0)
    while completions.look():
        if len(completions.ready) == 2:
            break
        assert completions._changed, "nobody will look again"
    assert list(completions.ready) == ["a", "b"]


def test_what_is_said_to_be_there_is_there() -> None:
    class Watched(list[Arrival]):
        def append(self, arrival: Arrival) -> None:
            assert not group.done(arrival[0]), "another thread would look for it in vain"
            super().append(arrival)

    group = Group(0, 2)
    group.arrivals = Watched()
    group.put(1, 2, ONE, 0)
    assert group.done(1)


def test_a_watch_that_ends_hides_no_arrival_from_the_others() -> None:
    group, heard = Group(0, 2), list[str]()

    def first() -> None:
        heard.append("first")
        group.watchers.remove(first)

    group.watchers += [first, lambda: heard.append("second")]
    group.put(0, 1, ONE, 0)
    assert heard == ["first", "second"]
