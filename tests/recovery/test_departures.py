"""Scripts that ask for something else when they are run again, and those that only seem to.

What departs is told by the launcher's last lines, by `status` and by `explain`, which shows what
differs.  What is legal finds all of its records, however its submissions are ordered.
"""

from __future__ import annotations

import json
import pickle
import subprocess
from typing import Any

import pytest
from scoop_chaos.runs import COMMAND

from scoop_ft.broker import offline
from scoop_ft.broker.content import Content
from scoop_ft.broker.tasks import DONE

from ..waiting import eventually
from .conftest import Run

Plain = dict[str, Any]


def ask(run: Run, *words: str) -> str:
    """Type a command that looks at a run; return what it says."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=run.folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def explain(run: Run, *words: str) -> Plain:
    found: Plain = json.loads(ask(run, "explain", "--json", run.directory.path.name, *words))
    return found


def kill_in_the_midst(run: Run, starts: int) -> None:
    run.ledger.wait_for(starts)
    run.strike_everything()


def recorded(run: Run) -> int:
    return int(run.status()["tasks"]["done"])


# ---- what departs ---------------------------------------------------------------------------


def test_an_argument_that_is_the_time_is_named_and_shown(run: Run) -> None:
    run.program("clock", 30, 0.02)
    kill_in_the_midst(run, 20)
    run.resume()
    run.finish()
    # The launcher's last lines,
    assert "30 calls were not those that are recorded, and count as new:" in run.errors
    assert "\nscoop-ft:   … and 27 more\n" in run.errors
    assert "task 6, ordinal 5 of the script: clock.measure" in run.errors
    name = run.directory.path.name
    assert f"scoop-ft explain {name} 6" in run.errors
    # the status,
    status = run.status()
    assert status["mismatches"] == 30
    assert len(status["divergences"]) == 10
    first = status["divergences"][0]
    assert (first["task"], first["parent"], first["ordinal"]) == ("6", "", 5)
    assert first["function_old"] == first["function_new"] == "clock.measure"
    assert "task 6, ordinal 5 of the script: clock.measure" in ask(run, "status")
    # and what explains it.
    found = explain(run, "6")["departed"]
    assert (found["task"], found["in_place_of"], found["ordinal"]) == ("6", "6~1", 5)
    assert found["reason"] == "argument differs"
    (differs,) = found["differs"]
    assert differs["where"] == "when['t']"
    assert float(differs["old"]) < float(differs["new"])
    said = ask(run, "explain", name, "6~1")
    assert f"argument when['t']: {differs['old']} -> {differs['new']}" in said
    assert "a resume does not run it: its parent does not ask for it any more" in said
    # What is the same was not run again.
    assert {k: n for k, n in run.ledger.times().items() if k.startswith("steady")} == {
        f"steady.{k}": 1 for k in range(5)
    }


def test_a_dry_run_names_the_reasons(run: Run) -> None:
    run.program("clock", 40, 0.05)
    kill_in_the_midst(run, 14)
    never = explain(run)["again"]
    assert list(never) == ["never recorded"]
    run.resume("-q")
    before = len(run.ledger.starts())
    kill_in_the_midst(run, before + 10)
    found = explain(run)
    assert list(found["again"]) == ["argument differs"]
    assert found["mismatches"] == 40
    again = found["again"]["argument differs"]
    dry = ask(run, "resume", "--dry-run")
    assert f"{again['count']} argument differs; 40 not asked for any more" in dry
    assert f"scoop-ft explain {run.directory.path.name}" in dry
    task = explain(run, again["examples"][0])
    assert (task["again"], task["reason"]) == (True, "argument differs")
    assert task["departed"]["differs"]
    said = ask(run, "explain")
    assert "tasks would run: argument differs" in said
    assert "argument when['t']: " in said


def test_failed_before_is_a_reason(run: Run) -> None:
    run.program("fails", 10)
    assert run.wait() == 1
    found = explain(run)
    assert found["again"]["failed before"] == {"count": 1, "examples": ["8"]}
    task = explain(run, "8")
    assert task["reason"] == "failed before"
    assert [event["what"] for event in task["history"]] == ["recorded", "ended in an exception"]


def test_it_can_be_told_while_the_run_runs(run: Run) -> None:
    run.program("clock", 200, 0.05)
    kill_in_the_midst(run, 12)
    run.resume("-q")
    run.wait_until(lambda found: found["mismatches"] == 200)
    # The broker knows, the disk soon.
    departed = eventually(lambda: explain(run, "6")["departed"], within_s=10.0)
    assert departed["differs"][0]["where"] == "when['t']"


def test_a_task_that_departs_from_its_own_record(run: Run) -> None:
    """Its children have left the journal with its result; what differed is kept."""
    run.program("forgetful")
    run.ledger.wait_for_names(["child.0", "child.1"])
    run.wait_until(lambda found: found["tasks"]["done"] >= 2)
    run.strike_everything()
    run.touch("go")
    run.resume()
    run.finish()
    assert "task 1.1, ordinal 0 of task 1, forgetful.parent: forgetful.child" in run.errors
    (first, *_) = run.status()["divergences"]
    assert (first["task"], first["parent"]) == ("1.1", "1")
    assert first["parent_function"] == "forgetful.parent"
    (differs,) = explain(run, "1.1")["departed"]["differs"]
    assert differs["where"] == "drawn"


# ---- --on-divergence error ------------------------------------------------------------------


def test_a_run_can_be_stopped_where_it_departs(run: Run) -> None:
    run.program("clock", 30, 0.02, options=("--on-divergence", "error"))
    kill_in_the_midst(run, 20)
    before, done = len(run.ledger.starts()), recorded(run)
    run.resume("-q")
    assert run.wait() == 1
    name = run.directory.path.name
    said = [line for line in run.errors.splitlines() if "departs from what is recorded" in line]
    assert len(said) == 1
    assert said[0].startswith("scoop-ft: error: ")
    assert "the script departs" in said[0]
    assert "task 6, its ordinal 5, clock.measure," in said[0]
    assert f"scoop-ft explain {name} 6" in said[0]
    starts = [start.name for start in run.ledger.starts()[before:]]
    assert starts == ["before"], "nothing of the new submission was run"
    status = run.status()
    assert (status["state"], status["tasks"]["done"]) == ("interrupted", done)
    assert status["tasks"]["submitted"] == 35
    (differs,) = explain(run, "6")["departed"]["differs"]
    assert differs["where"] == "when['t']"
    # It goes on when it is told to.
    run.resume("--on-divergence", "recompute")
    run.finish()
    assert run.status()["mismatches"] == 30


@pytest.mark.parametrize("policy", ["recompute", "error"])
def test_submissions_in_completion_order_find_all_that_is_recorded(run: Run, policy: str) -> None:
    """Parents among them, whose children are asked for in completion order too."""
    chains, links = 6, 12
    run.program("completing", chains, links, options=("--on-divergence", policy))
    for k in range(2):
        run.ledger.wait_for(60 * (k + 1))
        kill_and_resume(run)
    run.touch("go")
    assert run.finish() == f"{chains}\n"
    check_that_nothing_was_done_twice(run)


@pytest.mark.parametrize("policy", ["recompute", "error"])
def test_several_threads_find_all_that_is_recorded(run: Run, policy: str) -> None:
    threads, tasks = 3, 60
    run.program("threads", threads, tasks, 0.01, options=("--on-divergence", policy))
    for k in range(2):
        run.ledger.wait_for(50 * (k + 1))
        kill_and_resume(run)
    run.touch("go")
    run.finish()
    assert run.status()["tasks"]["submitted"] == threads * tasks
    check_that_nothing_was_done_twice(run)


def kill_and_resume(run: Run) -> None:
    """Kill all and go on; remember what was recorded then, and where in the ledger that was."""
    run.strike_everything()
    marks = run.folder / "marks"
    marks.mkdir(exist_ok=True)
    mark = {"starts": len(run.ledger.starts()), "done": sorted(names_done(run))}
    (marks / str(len(list(marks.iterdir())))).write_text(json.dumps(mark))
    run.resume("-q")


def names_done(run: Run) -> set[str]:
    """Return the names under which the tasks that have a result had noted that they began."""
    book, reader = offline.read(run.directory.journal)
    with reader, reader.reading() as view:
        return {
            ".".join(map(str, pickle.loads(Content.of(view, batch).arguments(index))))
            for batch in book.batches.values()
            for index in range(batch.count)
            if batch.state[index] == DONE
        }


def check_that_nothing_was_done_twice(run: Run) -> None:
    status = run.status()
    assert (status["mismatches"], status["divergences"]) == (0, [])
    assert status["tasks"]["submitted"] == status["tasks"]["done"]
    names = [start.name for start in run.ledger.starts()]
    for path in (run.folder / "marks").iterdir():
        mark = json.loads(path.read_text())
        assert len(mark["done"]) > 5
        assert set(mark["done"]) <= set(names[: mark["starts"]])
        assert not set(mark["done"]) & set(names[mark["starts"] :])


# ---- edited functions -----------------------------------------------------------------------

SQUARES = """
import sys

from scoop_ft import futures


def square(n):
    return n * n


if __name__ == "__main__":
    print(sum(futures.map(square, range(20))))
    sys.exit(1)
"""


def test_an_edited_function_is_a_reason(run: Run) -> None:
    script = run.folder / "script.py"
    script.write_text(SQUARES)
    run.start("-q", "-n", "2", script)
    assert run.wait() == 1
    assert explain(run)["again"] == {}
    script.write_text(SQUARES.replace("n * n", "n * n * n"))
    assert explain(run)["again"]["function changed"]["count"] == 20
    task = explain(run, "3")
    assert (task["again"], task["reason"], task["state"]) == (True, "function changed", "done")
    assert "20 function changed" in ask(run, "resume", "--dry-run")
