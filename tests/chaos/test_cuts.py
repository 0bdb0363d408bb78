"""Power cuts and failing disks under a real run's journal, and that the harness sees a loss."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from scoop_chaos.cuts import loop, preload
from scoop_chaos.cuts.campaign import Tally, cut
from scoop_chaos.cuts.check import Fate
from scoop_chaos.cuts.command import SIZE, SMALL, Places, command, places
from scoop_chaos.cuts.disk import Lie
from scoop_chaos.cuts.errors import ErrorRun, run_with
from scoop_chaos.cuts.preload import Fault
from scoop_chaos.cuts.record import Recording, kill_broker, record
from scoop_chaos.faults import Fault as Name
from scoop_chaos.runs import RunProcess, left_in

needs_shim = pytest.mark.skipif(
    bool(preload.why_not()), reason=f"left out: {Name.POWER_CUT.value} ({preload.why_not()})"
)


@pytest.fixture(scope="module")
def where() -> Iterator[Places]:
    """Folders for all that is recorded here."""
    with places() as found:
        yield found
        left = left_in(found.disk) + left_in(found.memory)
        assert not left, "processes were left behind:\n" + "\n".join(left)


@pytest.fixture(scope="module")
def recording(where: Places) -> Recording:
    """A real run whose broker was killed on the way."""
    return record(where.fresh("shared"), Random(1), SIZE)


def cuts_of(
    recording: Recording, cuts: int, tmp_path: Path, where: Places, lie: Lie = Lie.NONE
) -> Tally:
    return cut(recording, cuts, Random(7), where.memory / tmp_path.name, lie=lie)


@needs_shim
def test_no_power_cut_loses_what_was_acknowledged(
    recording: Recording, tmp_path: Path, where: Places
) -> None:
    assert recording.brokers == 2
    assert len(recording.history.commits) > 10
    assert len(recording.promises.made) > 100
    tally = cuts_of(recording, 500, tmp_path, where)
    assert tally.found == []
    assert tally.fates == {Fate.WHOLE: 500}
    # Some cuts took most of what had not been acknowledged, and some left most: they were cuts.
    tenths = sorted(number for number in tally.survivors if number >= 0)
    assert tenths[0] <= 3
    assert tenths[-1] >= 7


@needs_shim
def test_an_acknowledgement_before_the_sync_is_found(
    recording: Recording, tmp_path: Path, where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if each message had been acknowledged when it was heard."""
    monkeypatch.setattr(recording.promises, "made", recording.promises.heard)
    tally = cuts_of(recording, 60, tmp_path, where)
    assert tally.fates[Fate.LOST] > 5
    assert {violation.invariant for _, violation in tally.found} == {8}


@needs_shim
def test_a_meta_page_that_is_not_synced_loses_the_last_transaction(
    recording: Recording, tmp_path: Path, where: Places
) -> None:
    """The journal opened with ``metasync=False``: exactly the last transaction, and no damage.

    Where the last one is the one that makes it a journal, it is none.
    """
    tally = cuts_of(recording, 60, tmp_path, where, Lie.META)
    assert tally.fates[Fate.LOST] > 10
    assert tally.fates.keys() <= {Fate.WHOLE, Fate.LOST, Fate.FOREIGN}
    assert tally.beyond.keys() <= {-1, 0, 1}


@needs_shim
def test_a_disk_that_syncs_nothing_is_found(
    recording: Recording, tmp_path: Path, where: Places
) -> None:
    """The journal opened with ``sync=False``."""
    tally = cuts_of(recording, 60, tmp_path, where, Lie.ALL)
    assert tally.fates[Fate.DAMAGED] + tally.fates[Fate.FOREIGN] > 20
    assert tally.found


def failed(where: Places, fault: Fault) -> ErrorRun:
    return run_with(fault, where.fresh(str(fault), 1), Random(3), SMALL)


@needs_shim
def test_a_sync_that_fails_stops_the_broker_and_another_one_goes_on(where: Places) -> None:
    run = failed(where, Fault("sync", 8, errno.EIO, lasting=False))
    assert run.found == []
    assert run.struck
    assert run.how == "its broker stopped and was started again"
    assert run.name is Name.DISK_SYNC


@needs_shim
def test_syncs_that_fail_for_good_end_the_run_and_resume_completes_it(where: Places) -> None:
    run = failed(where, Fault("sync", 8, errno.EIO, lasting=True))
    assert run.found == []
    assert run.how == "it ended and was resumed"


@needs_shim
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(where: Places) -> None:
    run = failed(where, Fault("sync", 8, errno.ENOSPC, lasting=True))
    assert run.found == []
    assert run.how == "it went on"
    assert run.name is Name.DISK_FULL


@needs_shim
def test_a_write_that_fails_stops_the_broker_and_another_one_goes_on(where: Places) -> None:
    run = failed(where, Fault("write", 30, errno.EIO, lasting=False))
    assert run.found == []
    assert run.how == "its broker stopped and was started again"


@needs_shim
def test_a_real_ext4_that_is_shut_down_keeps_what_was_promised(where: Places) -> None:
    if why := loop.why_not():
        pytest.skip(f"left out: {Name.POWER_CUT.value} of a real ext4 ({why})")
    cycle = loop.cycle(where.fresh("loop"), Random(1), SMALL)
    assert cycle.found == []
    assert cycle.outcome.fate is Fate.WHOLE
    assert cycle.promised > 0


@needs_shim
def test_the_command_says_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoop_chaos.cuts.command.SIZE", SMALL)
    sound = CliRunner().invoke(command, ["--cuts", "20", "--seed", "5"])
    assert "20 cuts" in sound.output
    assert "everything held" in sound.output
    assert sound.exit_code == 0
    lying = CliRunner().invoke(command, ["--cuts", "40", "--seed", "5", "--lying"])
    assert "it is refused" in lying.output
    assert "not everything held" in lying.output
    assert lying.exit_code == 1


def test_what_cannot_be_done_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    shown = CliRunner().invoke(command, ["--errors", "1", "--loop", "1"])
    assert f"left out: {Name.POWER_CUT.value} (no C compiler)" in shown.output
    assert shown.exit_code == 0


def test_a_broker_that_has_ended_when_it_is_to_be_killed_is_fine(tmp_path: Path) -> None:
    """Between the end of a run's broker and that of its launcher."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"log.{gone.pid}").write_bytes(bytes(200))
    script = tmp_path / "script.py"
    script.write_text("import time\ntime.sleep(60)\n")
    run = RunProcess(tmp_path).start("-q", "-n", "1", script)
    try:
        kill_broker(run, tmp_path / "logs", 100)
        assert not run.has_ended()
    finally:
        run.end()
