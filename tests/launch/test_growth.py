"""The journal's size: said, warned of, given back at the end of a run and before a resume."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scoop_ft.errors import RunError
from scoop_ft.launch import growth
from scoop_ft.rundir import RunDir

from ..waiting import eventually
from .conftest import Shell

# Results that leave the journal again when their parent has ended; parents one after the other.
LARGE = """
import os, sys, time
from scoop_ft import futures

def piece(n):
    return os.urandom(50_000)

def slow(n):
    time.sleep(0.05)
    return piece(n)

def parent(n):
    return sum(map(len, futures.map(slow, range(40)))) + n

if __name__ == "__main__":
    for n in range(2):
        print(futures.submit(parent, n).result(), flush=True)
    if len(sys.argv) > 1 and not os.path.exists("go"):
        open("waits", "w").close()
        time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("1234", 1234), ("500M", 500_000_000), ("20G", 20_000_000_000),
        ("1.5T", 1_500_000_000_000), ("2GiB", 2 << 30), ("10 kB", 10_000), ("7b", 7),
    ],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert growth.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "1X", "1,5G", "1 000", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(RunError, match="is no size: write 500M"):
        growth.parse_size(text)


def test_a_limit_that_is_passed_is_said_once() -> None:
    watch = growth.Watch(1_000_000)
    assert watch.look({}) == ""
    assert watch.look({"journal": {"bytes": 1_000_000}}) == ""
    text = watch.look({"journal": {"bytes": 1_500_000, "free_bytes": 100_000}})
    assert text == (
        "the journal has grown to 1.5 MB, past its limit of 1.0 MB; the run goes on, see that the "
        "disk has room"
    )
    assert watch.look({"journal": {"bytes": 2_500_000}}) == ""
    assert growth.Watch(0).look({"journal": {"bytes": 1 << 50}}) == ""
    free = growth.warning({"bytes": 3_000_000, "free_bytes": 2_000_000}, 1_000_000)
    assert "2.0 MB of it are free and will be used first" in free


PAGES = 8 * 4096  # what the transactions of a compaction leave free


def sizes(run: Path) -> tuple[int, int]:
    """Return the size of a journal's file and of its part in use."""
    from scoop_journal import Reader

    with Reader.open(run / "journal") as reader:
        return reader.size_bytes, reader.live_bytes


def test_a_finished_run_has_given_back_what_is_free(shell: Shell) -> None:
    done = shell.type(
        "run", "-n", "3", "--run-dir", "r", "--journal-limit", "100k", shell.script(LARGE)
    )
    assert done.returncode == 0, done.stderr
    size, live = sizes(shell.folder / "r")
    assert size <= 1.2 * live + PAGES
    assert size < 300_000
    assert done.stderr.count("past its limit of 100 kB") == 1, done.stderr
    found = json.loads(shell.type("status", "--json", "r").stdout)
    assert found["journal"]["bytes"] == size
    assert found["journal"]["live_bytes"] == live
    assert found["journal"]["free_bytes"] == size - live
    assert found["warnings"] == []
    assert "of it in use" in shell.type("status", "r").stdout


def test_a_run_that_is_done_keeps_nothing_back_for_a_full_disk(shell: Shell) -> None:
    """Hundreds of small runs of a folder would hold gigabytes for nothing."""
    shell.script("import sys; sys.exit(len(sys.argv) - 1)")
    reserve = shell.folder / "r" / "journal" / "reserve"
    assert shell.type("run", "-q", "-n", "1", "--run-dir", "r", "script.py", "x").returncode == 1
    assert reserve.exists(), "what has failed will be resumed"
    assert shell.type("resume", "-q", "r", "--").returncode == 0
    assert not reserve.exists()
    assert shell.type("resume", "-q", "r", "--", "x").returncode == 1
    assert reserve.exists()
    assert shell.type("journal", "verify", "r").returncode == 0


def test_a_resumed_run_gives_back_first_and_keeps_its_limit(shell: Shell) -> None:
    options = ("-q", "-n", "3", "--run-dir", "r", "--journal-limit", "50k")
    launcher = shell.start("run", *options, shell.script(LARGE), "wait")
    eventually(lambda: (shell.folder / "waits").exists() or launcher.poll() is not None)
    found: dict[str, Any] = {}

    def dropped() -> bool:
        """Have the children left?  Some milliseconds after their parents' results."""
        found.update(json.loads(shell.type("status", "--json", "r").stdout))
        return bool(found["journal"]["free_bytes"] > found["journal"]["live_bytes"] > 0)

    eventually(dropped)
    assert found["state"] == "running"
    assert [text for text in found["warnings"] if "past its limit of 50 kB" in text]
    busy = shell.type("journal", "compact", "r")
    assert busy.returncode == 2
    assert "belongs to process" in busy.stderr
    launcher.kill()
    launcher.wait()
    before, _ = sizes(shell.folder / "r")
    assert before > 500_000, "nothing that could be given back"
    (shell.folder / "go").touch()
    done = shell.type("resume", "r")
    assert (done.returncode, done.stdout) == (0, "2000000\n2000001\n"), done.stderr
    size, live = sizes(shell.folder / "r")
    assert size - live <= growth.SMALL_BYTES  # not worth a compaction of its own
    assert RunDir(shell.folder / "r").info().journal_limit == 50_000
    assert shell.type("journal", "verify", "r").returncode == 0


def test_compact_by_hand(shell: Shell) -> None:
    launcher = shell.start("run", "-q", "-n", "3", "--run-dir", "r", shell.script(LARGE), "wait")
    eventually(lambda: (shell.folder / "waits").exists() or launcher.poll() is not None)
    launcher.terminate()
    launcher.wait()
    before, live = sizes(shell.folder / "r")
    assert before > 1.2 * live, "whoever stops a run does not wait for a compaction"
    done = shell.type("journal", "compact", "r")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the journal was compacted from ")
    size, live = sizes(shell.folder / "r")
    assert size <= 1.2 * live + PAGES
    (shell.folder / "go").touch()
    assert shell.type("resume", "r").stdout == "2000000\n2000001\n"


def test_a_small_journal_is_left_alone(shell: Shell) -> None:
    """Nothing is loaded that could compact it: a short run does not end later for it."""
    shell.script("print(1)")
    program = (
        "import sys; from scoop_ft.launch import launcher; "
        "launcher.run('script.py', [], 'r', launcher.Options(workers=1, quiet=True)); "
        "print('lmdb' in sys.modules)"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=shell.folder, capture_output=True, text=True,
        env=os.environ, timeout=60,
    )  # fmt: skip
    assert done.stdout == "1\nFalse\n", done.stderr
