"""The simulator: many seeds, the same trace from the same seed, and a failing one made small."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import scoop_chaos
import scoop_journal
from click.testing import CliRunner
from scoop_chaos.sim.campaign import Report, reports
from scoop_chaos.sim.command import command, replay_command
from scoop_chaos.sim.minimise import minimise
from scoop_chaos.sim.plan import draw
from scoop_chaos.sim.world import run

import scoop_ft
from scoop_ft.broker.core import Broker
from scoop_ft.broker.tasks import HELD, LEASED, Batch

SEEDS = 2_000
TRACED = range(40, 70)

# What seeds have found, as programs and faults are drawn now.  They are run again each time.
FOUND: dict[int, str] = {
    1622: "children that had ended with their parent were run again after a full disk",
    8948: "what was to be said on an older connection was said on the new one",
    11331: "a death that a dead broker had not recorded was blamed on nobody",
    13850: "children of a parent that had ended were given away before its result had come",
    17273: "a restarted broker leased a stopped worker what it had run",
    17771: "what followed something that was turned away on a full disk was acknowledged",
    18373: "a second welcome brought a child back that was given up",
    23986: "what had become a suspect while it was queued was not tried alone",
    37919: "a busy worker lost what it ran when its batch came after its agent's word",
    46094: "the last words of a dead root replaced the living one",
    51054: "a hello written long before it was read was believed",
    71617: "a worker's end was recorded while its blame waited, and the broker died",
    120243: "a worker that was lost and came back was not blamed",
    206689: "a stopped worker was leased what it said it holds when its batch came",
    404991: "a worker whose agent never came back to a restarted broker was waited for",
    1031750: "the machine slept while a worker was stopped: the simulated agent missed its waking",
    5108284: "the simulated program saved a state without a result that had just come",
    5185471: "a worker that slept began a task from nothing that had ended elsewhere",
    5188474: "a child that its parent had gone past was taken for submitted, and run again",
    5190666: "a death that a dead broker had not recorded was not counted: the task was elsewhere",
    6229261: "a state that was said again replaced a later one: what that stood for was run again",
    6238586: "a worker that had just ended a long task lost it before its result had come",
    6218111: "a state that was saved dropped a call that moves up behind one that was under way",
    6311456: "a call of an attempt that was given up was taken for the next attempt's",
    6730974: "a worker that was asked for work before the machine slept lost it on waking",
    8058431: "a result that came to a broker as its reunion ended was dropped, and waited for",
    7120590: "a lost worker was blamed for what had failed elsewhere: the simulator's check",
    9714753: "children of what ended silently were run again after a full disk",
    10113815: "an attempt that was cut off went on with its own value of a step, not the recorded",
    9515413: "what kills its workers takes long on a single one: the check",
    9192639: "an agent that had come back a moment before had not told a death: the check",
    9411333: "a task that only asks whether its results are there got no room for them",
    12018703: "what was found recorded, and got lost on the way, a saved state waited for in vain",
    12034808: "calls of an attempt that was given up were said again for the next one: a hang",
    12554841: "a failure that was tried again came up from a record that held it, too",
    71: "what was given up before a broker died was wanted by the next one, and kept all workers",
    2537: "a stopped worker was at a call that was given up later, and was never told",
    16410971: "a batch that no journal had was said again without what was given up of it",
    21594343: "what a disk that never synced leaves unsaid waits for its batches: the check",
    20011383: "a step that was not synced was told to another worker, and lost with its broker",
    18004637: "an older attempt came back first, and waited for what a later one's state stood for",
    21642595: "an older attempt waited where it had a call that a later one had moved: a hang",
    23006955: "what hangs, of a batch that had died with script and broker, kept all workers",
    28562484: "a broker whose disk blocked it for the 2 s that are no sleep yet: the check",
    7039530: "what an older attempt had told nobody was said to be left out",
}


def test_no_seed_breaks_an_invariant() -> None:
    total = Report()
    for new in reports(0, SEEDS, jobs=2):
        total.add(new)
    assert total.seeds == SEEDS
    assert [f"{found.seed}: {found.violations[0]}" for found in total.broken] == []
    assert len(total.faults) > 25, "kinds of faults that struck"


@pytest.mark.parametrize("seed", FOUND, ids=str)
def test_what_was_found_is_mended(seed: int) -> None:
    assert run(draw(seed)).violations == []


def test_a_seed_has_one_trace_in_any_process_and_folder(tmp_path: Path) -> None:
    """Also where sets have another order, and files another name."""
    elsewhere = tmp_path / "a folder whose name is longer than that of the other"
    for package in (scoop_ft, scoop_journal, scoop_chaos):
        source = Path(package.__file__).parent
        shutil.copytree(
            source, elsewhere / source.name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(__file__, elsewhere / "the_seeds.py")
    found = {
        subprocess.run(
            [sys.executable, "-c", f"from {module} import traces; print(traces())"],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for folder, module, hash_seed in (
            (Path.cwd(), "tests.chaos.test_sim", "1"),
            (elsewhere, "the_seeds", "2"),
        )
    }
    assert found == {traces()}


def traces() -> str:
    """Return a digest of the traces of some seeds."""
    digest = hashlib.blake2b()
    for seed in TRACED:
        digest.update("\n".join(run(draw(seed), tracing=True).trace).encode())
    return digest.hexdigest()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A broker that keeps handed back tasks from others; a seed that shows it."""

    def requeue(self: Broker, batch: Batch, start: int, stop: int, *, first: bool) -> int:
        return batch.move_all(start, stop, LEASED, HELD)

    monkeypatch.setattr(Broker, "requeue", requeue)
    for seed in range(200):
        if run(draw(seed)).violations:
            yield seed
            return
    raise AssertionError("not seen within 200 seeds")


def test_what_fails_is_made_small_and_can_be_replayed(forgetful: int) -> None:
    whole, small = draw(forgetful), minimise(forgetful)
    assert run(small).violations[0].invariant == run(whole).violations[0].invariant
    assert len(small.strikes) <= len(whole.strikes)
    words = replay_command(forgetful, small).split()
    assert words[:4] == ["python", "-m", "scoop_chaos", "sim"]
    done = CliRunner().invoke(command, [word.strip("'") for word in words[4:]])
    assert done.exit_code == 1
    assert "violated: invariant" in done.output


def test_the_command_shows_what_fails(forgetful: int) -> None:
    done = CliRunner().invoke(
        command, ["--first", str(forgetful), "--seeds", "1", "-j", "1"]
    )  # fmt: skip
    assert done.exit_code == 1
    assert f"seed {forgetful}: invariant" in done.output
    assert "again with: python -m scoop_chaos sim --replay" in done.output


def test_the_command_is_content_with_what_is_whole() -> None:
    done = CliRunner().invoke(command, ["--first", "10", "--seeds", "5", "-j", "1"])
    assert done.exit_code == 0
    assert "seeds 10 to 14: 0 violate an invariant" in done.output
