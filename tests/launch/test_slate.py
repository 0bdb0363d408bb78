"""The slate: what the worker writes is what the agent reads, also after the worker's death."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.ids import task_id
from scoop_ft.slate import DONE, RETIRE_AT, RETIRED, RUNNING, SIZE, Slate


def test_a_new_slate_is_clean(tmp_path: Path) -> None:
    slate = Slate.create(tmp_path / "slate")
    assert slate.read() == (b"", 0)
    assert not slate.is_ready()
    assert (tmp_path / "slate").stat().st_size == SIZE
    assert (tmp_path / "slate").stat().st_mode & 0o777 == 0o600


@given(batch=st.binary(min_size=16, max_size=16), index=st.integers(0, 2**32 - 1))
def test_the_running_task_is_seen_through_the_other_mapping(
    tmp_path_factory: object, batch: bytes, index: int
) -> None:
    path = tmp_path_factory.mktemp("slate") / "slate"  # type: ignore[attr-defined]
    agent = Slate.create(path)
    worker = Slate.open(path)
    worker.ready()
    worker.start(batch, index)
    assert agent.read() == (task_id(batch, index), 0)
    worker.finish()
    assert agent.read() == (b"", 1)
    worker.close()
    assert agent.read() == (b"", 1)
    agent.close()


def test_a_worker_retires_when_its_agent_says_and_says_so(tmp_path: Path) -> None:
    agent = Slate.create(tmp_path / "slate")
    worker = Slate.open(tmp_path / "slate")
    assert worker.words[RETIRE_AT] == 0
    agent.retire_after(3)
    assert worker.words[RETIRE_AT] == 3
    assert not agent.has_retired()
    worker.words[RETIRED] = 1
    assert agent.has_retired()


def test_a_task_that_waits_does_not_run(tmp_path: Path) -> None:
    slate = Slate.create(tmp_path / "slate")
    slate.start(bytes(16), 3)
    slate.pause()
    assert slate.read() == (b"", 0)


def test_the_format(tmp_path: Path) -> None:
    slate = Slate.create(tmp_path / "slate")
    slate.start(bytes(range(16)), 7)
    slate.words[DONE] = 9
    data = (tmp_path / "slate").read_bytes()
    numbers = memoryview(data).cast("Q")
    assert data[:16] == bytes(range(16))
    assert list(numbers[2:]) == [7, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert numbers[RUNNING] == 1


def test_create_wipes_an_old_one(tmp_path: Path) -> None:
    Slate.create(tmp_path / "slate").start(bytes(16), 1)
    assert Slate.create(tmp_path / "slate").read() == (b"", 0)
