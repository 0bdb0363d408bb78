"""Scripts that are hard to replay, and the ways in which a run can be resumed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable

from scoop_chaos.runs import COMMAND
from scoop_journal import Reader

from scoop_ft.broker.records import Kind, decode_bind

from .conftest import PROGRAMS, Run
from .ledger import Start


def root_starts(times: int) -> Callable[[list[Start]], bool]:
    return lambda starts: [start.name for start in starts].count("before") >= times


def test_a_root_that_submits_from_several_threads(run: Run) -> None:
    threads, tasks = 3, 50
    run.program("threads", threads, tasks, 0.01)
    killed: list[int] = []
    for k in range(2):
        run.ledger.wait_for(40 * (k + 1))
        killed.append(run.strike("root", but=killed))
        run.ledger.wait(root_starts(2 + k))
    # Only what was submitted before is asked for again; all of it, and nothing else.
    run.ledger.wait_for_names(f"{k}.{n}" for k in range(threads) for n in range(tasks))
    run.touch("go")
    total = sum(n * n for n in range(tasks))
    assert run.finish() == f"{[(k, total) for k in range(threads)]}\n"
    assert run.ledger.again() == {"before": 3}
    assert run.status()["tasks"]["done"] == threads * tasks


def test_a_script_that_submits_in_the_order_of_completion(run: Run) -> None:
    chains, links = 8, 25
    run.program("chains", chains, links)
    killed: list[int] = []
    done = 0
    for k in range(3):
        run.ledger.wait_for(50 * (k + 1))
        done = run.status()["tasks"]["done"]
        killed.append(run.strike("root", but=killed))
        run.ledger.wait(root_starts(2 + k))
    run.ledger.wait_for_names(f"{chain}.{links - 1}" for chain in range(chains))
    found = run.wait_until(lambda found: found["tasks"]["done"] == chains * links)
    assert found["tasks"]["reused"] >= done
    assert found["tasks"]["submitted"] == chains * links
    run.touch("go")
    assert run.finish() == f"{list(range(chains))}\n"
    assert run.ledger.again() == {"before": 4}


def test_resumes_of_a_script_that_submits_in_the_order_of_completion_leave_nothing(
    run: Run,
) -> None:
    """Each finds its calls at other places, and takes back what the one before has said of them."""
    chains, links = 8, 15
    calls = chains * links
    run.program("chains", chains, links)
    run.wait_until(lambda found: found["tasks"]["done"] == calls)
    for _ in range(6):
        run.strike_everything()
        run.resume("-q")
        run.wait_until(lambda found: found["tasks"]["reused"] == calls)
        with Reader.open(run.directory.journal) as reader:
            binds = [r.header for _, r in reader.scan() if r.kind == Kind.BIND]
            said = sum(len(decode_bind(header).slots) for header in binds)
        assert said <= 3 * calls
    run.touch("go")
    assert run.finish() == f"{list(range(chains))}\n"


def test_the_same_call_many_times_is_many_tasks(run: Run) -> None:
    tasks = 3000
    run.program("identical", tasks)
    run.ledger.wait_for(700)
    first = run.strike("root")
    run.ledger.wait_for(1500)
    run.strike("broker")
    run.ledger.wait_for(2200)
    run.strike("root", but=[first])
    drawn = json.loads(run.finish())
    assert len(set(drawn)) == tasks
    assert sorted(map(repr, drawn)) == sorted(start.name for start in run.ledger.starts())


def test_the_same_call_many_times_is_many_tasks_after_a_resume(run: Run) -> None:
    tasks = 3000
    run.program("identical", tasks)
    run.ledger.wait_for(1000)
    run.strike_everything()
    before = len(run.ledger.starts())
    drawn = json.loads(run.resume("-q").finish())
    assert len(set(drawn)) == tasks
    names = [start.name for start in run.ledger.starts()]
    assert set(map(repr, drawn)) <= set(names)
    assert len(names) - tasks <= before // 2, "what was done was not reused"


def test_a_finished_run_is_not_run_again(run: Run) -> None:
    run.program("flat", 30, 0.001).finish()
    before = run.ledger.starts()
    assert run.resume().finish() == ""
    assert "is finished: 30 done" in run.errors
    assert run.ledger.starts() == before


def test_a_failed_script_is_resumed_with_its_tasks(run: Run) -> None:
    run.program("fails", 30)
    assert run.wait() == 1
    assert "seven is not for now" in run.errors
    assert run.status()["state"] == "failed"
    assert run.resume("-q").wait() == 1  # it is tried again, and fails again
    run.touch("go")
    assert run.resume("-q").finish() == f"{sum(n * n for n in range(30))}\n"
    assert run.ledger.again() == {"before": 3, "7": 3}
    assert run.status()["state"] == "done"


def tree_digest(run: Run) -> str:
    """Return a digest of all that is on disk of a run."""
    found = hashlib.sha256()
    for path in sorted(run.directory.path.rglob("*")):
        if path.name == "lock.mdb":  # where LMDB notes who reads; it holds no data
            continue
        status = path.lstat()
        found.update(f"{path} {status.st_mode} {status.st_size} {status.st_mtime_ns}\n".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def test_a_dry_run_changes_nothing(run: Run) -> None:
    run.program("flat", 200, 0.01)
    run.ledger.wait_for(80)
    run.strike_everything()
    done = run.status()["tasks"]["done"]
    before = tree_digest(run)
    dry = subprocess.run(
        [*COMMAND, "resume", "--dry-run"],
        cwd=run.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert tree_digest(run) == before
    (row,) = (line.split() for line in dry.stdout.splitlines() if "square" in line)
    assert row[1:3] == [str(done), str(200 - done)]
    run.resume("-q").finish()


def test_plain_python_gives_the_same_answers(run: Run) -> None:
    for program, args in (("flat", ["20", "0"]), ("tree", ["3", "0"])):
        serial = subprocess.run(
            [sys.executable, str(PROGRAMS / f"{program}.py"), *args],
            cwd=run.folder, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        run.program(program, *args)
        assert run.finish() == serial


def test_what_the_children_of_a_failed_parent_had_found_is_not_lost(run: Run) -> None:
    """They may have taken hours, and ended just before it."""
    run.program("collapses")
    assert run.wait() == 1
    run.touch("go")
    run.resume("-q")
    assert run.finish() == "3\n"
    assert run.ledger.again() == {"parent": 2}
