"""How a run ends before its time: Ctrl-C, SIGTERM, workers that cannot start, a full disk."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND, left_in

from .conftest import PROGRAMS, Run

TASKS = 200
ANSWER = f"{sum(n * n for n in range(TASKS))}\n"
SOON_S = 2.0
PREFIX = "go on with: "


def resume_as_told(run: Run) -> str:
    """Type the command that the run's last words tell."""
    words = shlex.split(run.errors.splitlines()[-1].split(PREFIX)[1])
    assert words[:2] == ["scoop-ft", "resume"]
    done = subprocess.run(
        [*COMMAND, *words[1:]], cwd=run.folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_asked_to_end_it_ends_soon_and_goes_on_when_told(run: Run, number: int, code: int) -> None:
    run.program("flat", TASKS, 0.01)
    run.ledger.wait_for(60)
    began = time.monotonic()
    run.send(number)
    assert run.wait() == code
    assert time.monotonic() - began < SOON_S
    assert left_in(run.folder, limit=0.5) == []
    before = {start.name for start in run.ledger.starts()}
    assert resume_as_told(run) == ANSWER
    again = run.ledger.again()
    assert again.pop("before") == 2
    assert len(again) <= 2, "only what ran when it was asked to end may run again"
    assert len(before) < TASKS


def test_asked_twice_it_ends_at_once(run: Run) -> None:
    run.program("stuck", 60, options=("-n", 3))
    run.ledger.wait_for_names(map(str, range(60)))
    began = time.monotonic()
    run.send(signal.SIGINT)
    run.send(signal.SIGTERM)  # two of a kind may arrive as one
    assert run.wait() in (130, 75)
    assert time.monotonic() - began < 1.0
    assert left_in(run.folder, limit=0.5) == []
    run.touch("go")
    assert resume_as_told(run) == f"{sum(n * n for n in range(60))}\n"


def test_tasks_that_do_not_end_do_not_keep_it_from_ending(run: Run) -> None:
    run.program("stuck", 60, options=("-n", 3))
    run.ledger.wait_for_names(map(str, range(60)))
    began = time.monotonic()
    run.send(signal.SIGINT)
    assert run.wait() == 130
    assert time.monotonic() - began < SOON_S + 0.5
    assert left_in(run.folder, limit=0.5) == []


# ---- workers that cannot start ------------------------------------------------------------------


def test_a_script_that_workers_cannot_import(run: Run) -> None:
    run.program("unimportable")
    assert run.wait() == 1
    assert "nobody imports me" in run.errors


def test_workers_that_die_as_they_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = run.folder / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if any('scoop_ft.worker' in word for word in sys.orig_argv):\n"
        "    open('worker-starts', 'a').write('x')\n"
        "    sys.stderr.write('this python is broken\\n'); sys.stderr.flush()\n"
        "    os._exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{broken}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    run.program("flat", 10, 0.001)
    run.wait_until(lambda found: "3 times in a row; trying again in 1 s" in run.errors)
    assert len((run.folder / "worker-starts").read_text()) <= 2 * 4, "it spins"
    run.wait_until(lambda found: found["waiting"] == "no worker is connected")
    assert "this python is broken" in run.errors
    (broken / "sitecustomize.py").unlink()  # mended: it goes on by itself
    assert run.finish() == f"{sum(n * n for n in range(10))}\n"


# ---- a full disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)],
        capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("dying", [(), ("broker",), ("worker", "broker")], ids="-".join)
def test_a_full_disk_is_waited_for(small_disk: Path, run: Run, dying: tuple[str, ...]) -> None:
    tasks, size = 120, 200_000
    run.start(
        "-n", "2", "--run-dir", small_disk / "run", PROGRAMS / "large.py", str(tasks), str(size)
    )
    run.wait_until(lambda found: "full" in found["waiting"])
    run.wait_until(lambda found: "is full" in run.errors)
    if dying:
        run.wait_gone([run.strike(name) for name in dying])
        run.wait_until(lambda found: "full" in found["waiting"])  # says the new one
    assert not run.has_ended()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert run.finish() == f"{sum(n % 251 for n in range(tasks)) * size}\n"
    assert run.status()["tasks"]["done"] == tasks
    if "worker" not in dying:  # else what it was at runs again
        assert run.ledger.again() == {}


def test_a_result_that_is_damaged_on_disk_ends_the_run_and_is_named(run: Run) -> None:
    """It is not looked at when the journal is opened; it is when it is to be sent."""
    run.program("telling", 20)
    assert run.wait() == 1
    data = run.directory.journal / "data.mdb"
    stored = data.read_bytes()
    assert b"the result of 7;" in stored  # more than once: pages are written anew
    data.write_bytes(stored.replace(b"the result of 7;", b"the rezult of 7;"))
    run.resume("-q")
    assert run.wait() == 2
    assert "is damaged at record" in run.errors
    assert "checksum is wrong" in run.errors
    assert "Traceback" not in run.errors
