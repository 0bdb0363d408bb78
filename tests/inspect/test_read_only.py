"""What only looks at a run works where nothing can be written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = """\
from scoop_ft import futures
if __name__ == "__main__":
    print(sum(futures.map(abs, range(5))))
"""
READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && cd {0} && ! touch it && "
LOOKS = [
    "journal verify one", "journal ls one", "journal show one 1", "journal export one",
    "status one", "runs", "explain one", "resume --dry-run one",
]  # fmt: skip

AGE = re.compile(r"\d+:\d\d:\d\d")


def type_in(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scoop_ft", *words.split()],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def on_read_only(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's command in a folder that is mounted read-only for it."""
    line = READ_ONLY.format(shlex.quote(str(folder))) + command
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", line],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ft-") as name:
        path = Path(name)
        try:
            possible = on_read_only(path, "true").returncode == 0
        except FileNotFoundError:
            possible = False
        if not possible:
            pytest.skip("nothing can be mounted here without being root: unshare and mount")
        (path / "script.py").write_text(SCRIPT)
        done = type_in(path, "run -q -n 1 --run-dir one script.py")
        assert done.returncode == 0, done.stderr
        yield path


@pytest.mark.parametrize("words", LOOKS)
def test_looking(folder: Path, words: str) -> None:
    done = on_read_only(folder, f"{shlex.quote(sys.executable)} -m scoop_ft {words}")
    assert done.returncode == 0, done.stderr
    assert _ageless(done.stdout) == _ageless(type_in(folder, words).stdout)


def _ageless(text: str) -> str:
    """Leave out what grows by itself between two looks."""
    return AGE.sub("-", text)


@pytest.mark.parametrize("words", ["resume one", "broker one"])
def test_what_writes_says_why_it_cannot(folder: Path, words: str) -> None:
    done = on_read_only(folder, f"{shlex.quote(sys.executable)} -m scoop_ft {words}")
    assert done.returncode == 2
    said = f"the run directory {folder / 'one'} cannot be written to"
    assert said in done.stderr.splitlines()[-1]


# Who is root may write to everything, unless he gives that up.
ORDINARY = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def type_as_anybody(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ORDINARY, sys.executable, "-m", "scoop_ft", *words.split()],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def put_away(tmp_path: Path) -> Iterator[Path]:
    """A folder with an ended run that nobody may write to any more."""
    if ORDINARY and not shutil.which(ORDINARY[0]):
        pytest.skip("root may write to everything here: there is no setpriv")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = type_in(tmp_path, "run -q -n 1 --run-dir one script.py")
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "one", *(tmp_path / "one").rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    yield tmp_path
    for path in (tmp_path / "one", *(tmp_path / "one").rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def test_looking_at_what_nobody_may_write_to(put_away: Path) -> None:
    for words in LOOKS:
        done = type_as_anybody(put_away, words)
        assert done.returncode == 0, (words, done.stderr)
        assert _ageless(done.stdout) == _ageless(type_in(put_away, words).stdout)
    done = type_as_anybody(put_away, "journal compact one")
    journal = put_away / "one" / "journal"
    assert (done.returncode, done.stderr) == (
        2,
        f"scoop-ft: error: {journal} cannot be opened: Permission denied; have its owner give you "
        "the right to, or take a copy\n",
    )


def test_looking_at_what_nobody_may_read(put_away: Path) -> None:
    (put_away / "one" / "journal" / "data.mdb").chmod(0)
    done = type_as_anybody(put_away, "journal verify one")
    assert done.returncode == 2
    assert done.stderr.startswith("scoop-ft: error: ")
    assert done.stderr.count("\n") == 1
    (put_away / "one").chmod(0)
    done = type_as_anybody(put_away, "status one")
    assert (done.returncode, done.stderr) == (
        2,
        "scoop-ft: error: one/run.json: Permission denied; check that path, its permissions and "
        "its disk\n",
    )
