"""The run directory: private, atomic, readable again, and refusing what it cannot read."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.errors import RunError
from scoop_ft.rundir import (
    Live,
    LiveProcess,
    RunDir,
    RunInfo,
    find_runs,
    locate,
    new_run_id,
    read_keys,
    write_atomically,
)


def info(**more: object) -> RunInfo:
    values = {
        "run": "r",
        "script": "/s.py",
        "args": ["a", "ü"],
        "cwd": "/",
        "seed": 1,
        "workers": 2,
        "python": sys.executable,
        "created": 1.5,
        "max_attempts": 3,
        "path": "/",
    }
    return RunInfo(**{**values, **more})  # type: ignore[arg-type]


def test_create_and_read_again(tmp_path: Path) -> None:
    run = RunDir(tmp_path / ".scoop-ft" / "one")
    run.create(info())
    assert RunDir(run.path).info() == info()
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(run.run_json.stat().st_mode) == 0o600
    assert run.slates.is_dir()
    assert run.logs.is_dir()


@given(args=st.lists(st.text()), seed=st.integers(0, 2**63 - 1))
def test_any_arguments_survive(args: list[str], seed: int) -> None:
    kept = msgspec.json.decode(msgspec.json.encode(info(args=args, seed=seed)), type=RunInfo)
    assert kept.args == args
    assert kept.seed == seed


def test_a_used_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "one")
    run.create(info())
    before = run.run_json.read_bytes()
    with pytest.raises(RunError, match="holds a run already"):
        run.create(info(run="other"))
    assert run.run_json.read_bytes() == before
    other = tmp_path / "data"
    other.mkdir()
    (other / "thesis.txt").touch()
    with pytest.raises(RunError, match="not empty"):
        RunDir(other).create(info())


def test_an_empty_directory_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    RunDir(tmp_path / "one").create(info())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b'{"format": 99}', "another version"),
        (b'{"format": 1, "run": 3}', "damaged"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=words) as caught:
        RunDir(tmp_path).info()
    assert "\n" not in str(caught.value)


def test_no_run_json(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        RunDir(tmp_path).info()


def test_live_processes(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert run.live() is None
    live = Live(host="h", launcher=LiveProcess(pid=1, created=2.0))
    run.save_live(live)
    assert run.live() == live
    run.clear_live()
    run.clear_live()
    assert run.live() is None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# ---- the address --------------------------------------------------------------------------------


def test_the_socket_lies_in_the_run_directory_when_its_path_is_short() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        run = RunDir(folder)
        assert run.choose_endpoint() == f"ipc://{folder}/broker.sock"
        assert run.endpoint() == run.choose_endpoint()


def test_a_long_path_gets_a_private_folder_that_is_kept_and_dropped(tmp_path: Path) -> None:
    run = RunDir(tmp_path / ("x" * 120))
    run.path.mkdir()
    endpoint = run.choose_endpoint()
    folder = Path(endpoint.removeprefix("ipc://")).parent
    assert len(os.fsencode(endpoint.removeprefix("ipc://"))) <= 100
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert run.choose_endpoint() == endpoint
    folder.chmod(0o755)  # no longer private: not trusted any more
    other = run.choose_endpoint()
    assert other != endpoint
    run.drop_endpoint()
    assert not Path(other.removeprefix("ipc://")).parent.exists()
    folder.rmdir()


def test_no_address_yet(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has no broker address"):
        RunDir(tmp_path).endpoint()


# ---- keys ---------------------------------------------------------------------------------------


def test_keys_are_private_and_fit_together(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert run.client_keys() is None
    run.make_keys()
    client, server = run.client_keys(), run.server_keys()
    assert client is not None
    assert client.server == server.public != server.secret
    assert client.public != client.secret
    assert stat.S_IMODE(run.keys.stat().st_mode) == 0o700
    for file in run.keys.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run.make_keys()
    assert run.client_keys() == client
    (run.keys / "client.key").chmod(0o644)
    with pytest.raises(RunError, match="chmod 600"):
        read_keys(run.keys / "client.key")


# ---- naming and finding -------------------------------------------------------------------------


def test_run_ids_sort_by_time() -> None:
    now = time.time()
    ids = [new_run_id(now), new_run_id(now + 1), new_run_id(now + 86_400)]
    assert sorted(ids) == ids
    assert len({new_run_id(now) for _ in range(50)}) > 40


def test_runs_are_found_by_folder_path_and_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_runs() == []
    for name in ("b", "a"):
        RunDir(tmp_path / ".scoop-ft" / name).create(info(run=name))
    (tmp_path / ".scoop-ft" / "junk").mkdir()
    assert [run.path.name for run in find_runs()] == ["a", "b"]
    RunDir(tmp_path / "named").create(info(run="named", created=1e12))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "run.json").write_text('{"distance": 5000}')
    assert [run.called for run in find_runs()] == ["a", "b", "named"]
    for name, mark in (("agents", "agent.lock"), ("programs", "temporary")):  # in /tmp, say
        RunDir(tmp_path / name).create(info(run="named", created=2e12))
        (tmp_path / name / mark).touch()
    assert [run.called for run in find_runs()] == ["a", "b", "named"]
    assert locate("programs").path.name == "programs"
    assert locate("a").path == locate(str(tmp_path / ".scoop-ft" / "a")).path
    with pytest.raises(RunError, match="there is no run"):
        locate("c")
    with pytest.raises(RunError, match="not a run directory"):
        locate(".")


def test_importing_it_is_light() -> None:
    program = (
        "import sys, scoop_ft.rundir, scoop_ft.lifeline, scoop_ft.slate;"
        "print([m for m in ('click', 'rich', 'psutil', 'zmq', 'lmdb') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert out.stdout.strip() == "[]", out.stderr


def test_what_cannot_be_looked_at_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of files that was started again, a ticket that has expired."""
    directory = RunDir(tmp_path / "run")
    assert "is gone" in directory.gone()

    def stale(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stale)
        told = directory.gone()
    assert told == ""
