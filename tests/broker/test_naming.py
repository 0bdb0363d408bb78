"""A task's name leads to the task, and back."""

from __future__ import annotations

import pytest

from scoop_ft.broker import naming
from scoop_ft.broker.tasks import VOID
from scoop_ft.errors import RunError
from scoop_ft.ids import short

from .rig import Rig, taken


def a_tree() -> Rig:
    """A root with three tasks, the second of which has children and waits for them."""
    rig = Rig()
    root = rig.root()
    root.submit("leaf:a", "tree:3:b", "leaf:c")
    worker = rig.worker()
    worker.claims = False
    taken(rig, worker, 3)
    while worker.queue:
        worker.step()
    rig.commit()
    return rig


def test_names_lead_to_tasks_and_back() -> None:
    book = a_tree().broker.book
    seen = []
    for batch in book.batches.values():
        for index in range(batch.count):
            name = naming.name(book, batch, index)
            assert naming.locate(book, name) == (batch, index)
            seen.append(name)
    assert sorted(seen) == ["1", "2", "2.1", "2.2", "2.3", "3"]
    assert naming.parse("2.3") == (naming.Step(1), naming.Step(2))


def test_a_task_that_was_replaced_is_named_by_its_old_place() -> None:
    rig = a_tree()
    rig.restart(resume=True)
    root = rig.root()
    root.submit("leaf:other", "tree:3:b", "leaf:c")
    rig.commit()
    book = rig.broker.book
    names = {
        naming.name(book, batch, index): (batch, index)
        for batch in book.batches.values()
        for index in range(batch.count)
        if batch.state[index] != VOID
    }
    assert sorted(names) == ["1", "1~1", "2", "2.1", "2.2", "2.3", "3"]
    assert names["1"] != names["1~1"]
    for name, found in names.items():
        assert naming.locate(book, name) == found


def test_the_id_that_errors_show_is_understood() -> None:
    rig = a_tree()
    book = rig.broker.book
    rig.root().submit("leaf:a", "tree:3:b", "leaf:c", "leaf:d")
    batch, index = naming.locate(book, "4")
    assert naming.locate(book, f"{short(batch.id)}:{index}") == (batch, index)
    with pytest.raises(RunError, match="there is no task ffffffffffff:0"):
        naming.locate(book, "ffffffffffff:0")


def test_an_id_that_two_sessions_gave_is_told_by_places() -> None:
    book = a_tree().broker.book
    first, children = book.batches.values()
    assert short(first.id) == short(children.id)
    with pytest.raises(RunError, match=r"2 tasks .* name one by its place \(3, 2\.3\)"):
        naming.locate(book, f"{short(first.id)}:2")


@pytest.mark.parametrize("text", ["", "0", "1.", ".1", "1.0", "a", "1~0", "-1", "1 2"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(RunError, match="is no name of a task"):
        naming.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4", "the script has submitted none of this number"),
        ("1.1", "there is no task 1.1 in the journal: task 1 has not submitted it"),
        ("2.4.1", "there is no task 2.4 in the journal: task 2"),
        ("2~1", "there is no task 2~1"),
    ],
)
def test_where_there_is_no_task_it_says_so(text: str, said: str) -> None:
    with pytest.raises(RunError, match=said.replace(".", r"\.")):
        naming.locate(a_tree().broker.book, text)
