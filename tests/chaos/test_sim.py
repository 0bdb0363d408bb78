"""The simulator: many seeds, the same trace from the same seed, and a failing one made small."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from scoop_chaos.sim.campaign import Report, reports
from scoop_chaos.sim.command import command, replay_command
from scoop_chaos.sim.minimise import minimise
from scoop_chaos.sim.plan import draw
from scoop_chaos.sim.world import run

from scoop_ft.broker.core import Broker
from scoop_ft.broker.tasks import HELD, LEASED, Batch

SEEDS = 2_000
TRACED = range(40, 70)

# What seeds have found, as programs and faults are drawn now.  They are run again each time.
FOUND: dict[int, str] = {
    1853: "what failed and was tried again left its record in the journal for ever",
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


def test_a_seed_has_one_trace_in_any_process() -> None:
    """Also where sets have another order."""
    program = (
        "from tests.chaos.test_sim import traces\n"
        "print(traces())"
    )  # fmt: skip
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
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
