"""Real chaos: its judge is not blind, each fault is real, and short campaigns find nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.faults import Fault
from scoop_chaos.real.account import settle
from scoop_chaos.real.ledger import Line, parse
from scoop_chaos.real.outcome import Answer, Outcome
from scoop_chaos.real.plan import KINDS, PROGRAMS, Drawn, TrialPlan, trial_plan
from scoop_chaos.real.recorded import Looker, Recorded
from scoop_chaos.real.recovery import Watches, first_line, percentile
from scoop_chaos.real.stage import NETWORK, Stage
from scoop_chaos.real.story import Harm, Story
from scoop_chaos.real.trial import Trial
from scoop_chaos.real.verdict import replays
from scoop_chaos.runs import left_in

from ..waiting import eventually

COMMAND = (sys.executable, "-m", "scoop_chaos", "real")
LIMIT_S = 300.0


# ---- the judge ----------------------------------------------------------------------------------


def lines(*texts: str) -> list[Line]:
    return [parse(text) for text in texts]


def recorded(at: float, *done: str, known: tuple[str, ...] = ()) -> Recorded:
    return Recorded(at, frozenset(done), frozenset(), frozenset({*done, *known}))


def killed(at: float, *pids: int) -> Harm:
    return Harm("killed", Fault.WORKER_KILL, at, at, frozenset(pids))


def test_a_recorded_task_that_starts_again_is_reported() -> None:
    story = Story(
        lines("S f:1 1.0 10 here", "E f:1 1.5 10 here", "S f:1 3.0 11 here"),
        looks=[recorded(2.0, "f:1")],
        harms=[killed(2.5, 10)],
    )
    (violation,) = settle(story).violations
    assert violation.invariant == 2
    assert "f:1 started in 11" in violation.text


def test_a_descendant_of_a_recorded_parent_that_starts_is_reported() -> None:
    story = Story(lines("S top:1 1.0 10 here", "S leaf:1.2 3.0 11 here"))
    assert settle(story).violations == []
    story.looks.append(recorded(2.0, "top:1"))
    assert [violation.invariant for violation in settle(story).violations] == [2]


def test_a_second_copy_is_a_reason_as_often_as_the_brokers_tell_of_one() -> None:
    beside = lines("S f:1 1.0 10 here", "S f:1 3.0 11 here", "E f:1 3.1 11 here")
    assert settle(Story(beside)).violations
    assert settle(Story(beside, copies=1)).again["a second copy, beside a slow worker"] == 1
    other = lines("S f:2 1.0 10 here", "S f:2 3.0 11 here")
    assert len(settle(Story(beside + other, copies=1)).violations) == 1
    after = lines("S f:1 1.0 10 here", "E f:1 2.0 10 here", "S f:1 3.0 11 here")
    assert settle(Story(after, copies=1)).violations, "the first had ended"


def test_a_task_that_starts_twice_without_a_reason_is_reported() -> None:
    story = Story(lines("S f:1 1.0 10 here", "S f:1 3.0 11 here"))
    (violation,) = settle(story).violations
    assert violation.invariant == 15
    story.harms.append(killed(2.0, 12))  # somebody else
    assert settle(story).violations == [violation]
    story.harms.append(killed(2.0, 10))
    found = settle(story)
    assert found.violations == []
    assert found.again == {"its worker died (worker killed)": 1}
    assert (found.tasks, found.executions) == (1, 2)


def test_a_result_that_was_there_long_before_its_workers_death_must_have_been_recorded() -> None:
    story = Story(
        lines("S f:1 1.0 10 here", "E f:1 1.1 10 here", "S f:1 9.0 11 here"),
        harms=[killed(8.0, 10)],
    )
    assert [violation.invariant for violation in settle(story).violations] == [15]
    story.full.append((1.0, 8.5))
    assert settle(story).violations == []


def test_who_was_stopped_may_run_what_others_have_done() -> None:
    story = Story(
        lines("S f:1 2.0 10 here", "E f:1 2.1 10 here", "S f:1 6.1 11 here"),
        looks=[recorded(3.0, "f:1")],
    )
    assert len(settle(story).violations) == 1
    story.harms.append(Harm("silent", Fault.WORKER_STOP, 1.0, 6.0, frozenset([11])))
    assert settle(story).violations == []


def test_a_short_absence_of_the_broker_is_no_reason_here_but_on_other_hosts() -> None:
    for place, allowed in (("here", False), ("away", True)):
        story = Story(
            lines(f"S f:1 1.0 10 {place}", f"S f:1 3.0 11 {place}"),
            harms=[Harm("alone", Fault.BROKER_KILL, 2.0, 2.5)],
            looks=[recorded(2.0, known=("f:1",))],
            broker_deaths=[2.0],
        )
        assert (settle(story).violations == []) is allowed


def test_a_submission_that_was_not_synced_is_a_reason() -> None:
    story = Story(
        lines("S f:1 1.9 10 here", "S f:1 3.0 11 here"),
        looks=[recorded(2.0, known=("f:2",))],
        broker_deaths=[2.0],
    )
    assert settle(story).again == {"its submission was not synced when the broker died": 1}


def test_what_had_raised_is_tried_again_on_resume_only() -> None:
    story = Story(lines("S f:1 1.0 10 here", "X f:1 1.1 10 here", "S f:1 5.0 11 here"))
    assert len(settle(story).violations) == 1
    story.resumes.append(4.0)
    assert settle(story).violations == []


def test_the_answer_may_be_printed_again_but_not_another() -> None:
    assert replays("ab\n", "ab\n")
    assert replays("a" + "ab\nab\n" + "ab\n", "ab\n")
    assert not replays("ac\n", "ab\n")
    assert not replays("xab\n", "ab\n")
    assert not replays("ab\na", "ab\n")
    assert not replays("", "ab\n")


# ---- what is drawn, what is measured ------------------------------------------------------------


def test_a_seed_decides_programs_and_faults() -> None:
    def draw(seed: int) -> list[object]:
        plans = [trial_plan(seed, number, KINDS, []) for number in range(5)]
        return [
            (plan, [drawn for drawn, _ in zip(plan.faults(), range(30), strict=False)])
            for plan in plans
        ]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_every_fault_is_drawn_some_time() -> None:
    drawn = {
        fault.fault
        for number in range(60)
        for fault, _ in zip(trial_plan(0, number, KINDS, []).faults(), range(40), strict=False)
    }
    assert drawn == set(KINDS)


def test_only_undisturbed_recoveries_are_figures() -> None:
    watches = Watches()
    for disturbed in (False, True):
        watches.begin("kind", 1.0, first_line(lambda line: line.key == "f:1"))
        assert not watches.recovered
        if disturbed:
            watches.disturb()
        assert watches.look(lines("S f:2 2.0 1 here", "S f:1 0.9 1 here"), 2.5) == []
        assert watches.look(lines("S f:1 3.5 1 here"), 4.0) == [("kind", 2.5)]
    assert (watches.times.clean["kind"], watches.times.disturbed["kind"]) == ([2.5], [2.5])


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 201)]
    assert [percentile(values, p) for p in (50, 99, 100)] == [100.0, 198.0, 200.0]
    assert percentile([7.0], 99) == 7.0


# ---- real runs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """What this machine can do."""
    with Stage(tmp_path_factory.mktemp("real")) as one:
        yield one


class OneFault(TrialPlan):
    """A trial with one fault, as early as its program is at work."""

    def faults(self) -> Iterator[Drawn]:
        yield Drawn(False, 0.6, self.kinds[0], 0.5, 0.5)
        yield Drawn(False, math.inf, self.kinds[0], 0.5, 0.5)


def one_fault(kind: Fault, seconds: float = 0.02) -> TrialPlan:
    name, args = "flat", ["150"]
    if kind is Fault.WORKER_MEMORY:
        name, args = "big", ["40", "60000"]
    return OneFault(
        number=KINDS.index(kind),
        script=PROGRAMS / f"{name}.py",
        args=(*args, str(seconds)),
        serial_args=(*args, "0"),
        ours=True,
        workers=2,
        away=1 if kind in NETWORK else 0,
        small_disk=kind is Fault.DISK_FULL,
        kinds=(kind,),
        seed="test",
    )


def serial(plan: TrialPlan, folder: Path) -> str:
    command = [sys.executable, str(plan.script), *plan.serial_args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def play(plan: TrialPlan, stage: Stage, answer: str) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    outcome = Trial(plan, stage, Answer(answer, 0.0), said.append, time.monotonic() + 30.0).run()
    return outcome, said


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
def test_each_fault_is_survived(kind: Fault, stage: Stage, tmp_path: Path) -> None:
    if kind in stage.missing:
        pytest.skip(f"left out: {kind.value} ({stage.missing[kind]})")
    plan = one_fault(kind)
    outcome, said = play(plan, stage, serial(plan, tmp_path))
    assert outcome.violations == [], said
    assert outcome.faults == {kind: 1}
    assert outcome.account.tasks >= 80
    assert outcome.resumes == (1 if "resumed" in kind.value else 0)


def test_a_wrong_answer_is_reported(stage: Stage) -> None:
    plan = dataclasses.replace(one_fault(Fault.WORKER_KILL), number=1000)
    outcome, _ = play(plan, stage, "42\n")
    (violation,) = outcome.violations
    assert (violation.invariant, "not '42\\n'" in violation.text) == (6, True)
    assert (outcome.folder / "story.json").exists()
    assert (outcome.folder / "run" / "journal" / "data.mdb").exists()


def test_a_recorded_task_of_a_real_run_that_starts_again_is_reported(
    tmp_path: Path, nothing_left: None
) -> None:
    words = [sys.executable, "-m", "scoop_ft", "run", "-q", "--run-dir", "run"]
    subprocess.run([*words, PROGRAMS / "tree.py", "3", "0"], cwd=tmp_path, check=True)
    noted = [parse(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    look = Looker(tmp_path / "run" / "journal").look()
    assert look.done == {"top:0", "top:1", "top:2"}
    story = Story(noted, looks=[look])
    assert settle(story).violations == []
    for key in ("top:1", "leaf:1.0.2"):  # and one that its recorded parent stands for
        again = Line("S", key, time.monotonic(), 1, "here")
        (violation,) = settle(dataclasses.replace(story, lines=[*noted, again])).violations
        assert violation.invariant == 2


# ---- the command --------------------------------------------------------------------------------


def test_a_script_whose_answer_changes_is_found_out(tmp_path: Path, nothing_left: None) -> None:
    script = tmp_path / "changing.py"
    script.write_text("import os\nprint(os.getpid())\n")
    done = subprocess.run(
        [*COMMAND, "--minutes", "0", "--folder", tmp_path, script],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "invariant 6: it printed" in done.stdout
    (kept,) = tmp_path.glob("scoop-chaos-*/trial0")
    assert str(kept) in done.stdout.replace("\n", "")


def test_a_script_of_ones_own_is_compared_with_its_undisturbed_run(
    tmp_path: Path, nothing_left: None
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import sys, time\nfrom scoop_ft import futures\n"
        "def slow(n):\n    time.sleep(0.06)\n    return n\n"
        "if __name__ == '__main__':\n"
        "    print(sum(futures.map(slow, range(int(sys.argv[1])))))\n"
    )
    figures = tmp_path / "figures.json"
    words = ["--minutes", "0.1", "--seed", "5", "--folder", str(tmp_path), "--json", str(figures)]
    done = subprocess.run(
        [*COMMAND, *words, f"{script} 200"], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["violations"] == []
    assert found["faults_total"] > 0
    assert list(tmp_path.glob("scoop-chaos-*")) == []


def test_nothing_is_left_when_the_harness_is_killed(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        harness = subprocess.Popen(
            [*COMMAND, "--minutes", "1", "--seed", "2", "--folder", tmp_path], stdout=out
        )
    eventually(lambda: "fault: " in (tmp_path / "out").read_text())
    os.kill(harness.pid, signal.SIGKILL)
    harness.wait()
    marks = (str(tmp_path), f"scoopchaos{harness.pid}", f"scoop-chaos-{harness.pid}-")
    eventually(lambda: not any(mark in text for mark in marks for text in everything_mounted()))
    assert left_in(tmp_path) == []


def everything_mounted() -> list[str]:
    """Mounts, network namespaces among them, and control groups."""
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("memory/scoop-chaos-*")]
    return [*Path("/proc/mounts").read_text().splitlines(), *groups]


def test_two_minutes_of_real_chaos(tmp_path: Path, nothing_left: None) -> None:
    figures = tmp_path / "figures.json"
    minutes = os.environ.get("SCOOP_CHAOS_MINUTES", "2")
    words = ["--minutes", minutes, "--seed", "20261124", "--folder", str(tmp_path)]
    words += ["--json", str(figures)]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=1000)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["violations"] == []
    assert found["faults_total"] >= 10 * float(minutes)
    assert found["executions"] >= found["tasks"] > 0
