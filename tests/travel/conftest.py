"""Workers of another machine: other files at the same paths, another address, other packages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from scoop_chaos.runs import LIMIT_S, RunProcess

from scoop_ft.rundir import find_runs


class Gate:
    """How many tasks may run."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "gate"
        self.environ = {**os.environ, "FT_GATE": str(self.file)}
        self.open(20)

    def open(self, tasks: int = 1_000_000) -> None:
        """Let so many tasks run, all unless it says."""
        new = self.file.with_suffix(".new")
        new.write_text(str(tasks))
        new.replace(self.file)


@pytest.fixture
def gate(run_process: RunProcess, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """The gate of the test's run; outside of its folder, which other machines do not see."""
    one = Gate(tmp_path_factory.mktemp("gate"))
    run_process.environ = one.environ
    return one


class Elsewhere:
    """Another machine: a mount namespace in which the run's folder is empty, or another one.

    Parameters
    ----------
    run : RunProcess
        To be started with ``--listen`` and `address`.
    home : Path
        A folder of that machine.
    """

    def __init__(self, run: RunProcess, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self.home = home
        self._run = run
        self._processes: list[subprocess.Popen[bytes]] = []

    def worker(
        self,
        *words: str,
        instead: Path | None = None,
        environ: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> subprocess.Popen[bytes]:
        """Start ``scoop-ft worker``; its output goes to the files ``out`` and ``err`` of `home`.

        ``instead``: a folder that is there in place of the run's.
        """
        keys = self.home / "keys"
        if not keys.exists():
            shutil.copytree(find_runs(self._run.folder)[-1].keys, keys)
        mount = f"mount --bind {instead}" if instead else "mount -t tmpfs none"
        command = [
            "unshare", "-m", "sh", "-c", f'{mount} "$0" && exec "$@"', str(self._run.folder),
            python, "-m", "scoop_ft", "worker", "-n", "1", self.address, "--keys", str(keys),
        ]  # fmt: skip
        with open(self.home / "out", "wb") as out, open(self.home / "err", "wb") as err:
            process = subprocess.Popen(
                [*command, *words],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environ or self._run.environ,
            )
        self._processes.append(process)
        return process

    def finish(self) -> int:
        """Wait for the last one; return its exit code."""
        return self._processes[-1].wait(LIMIT_S)

    @property
    def errors(self) -> str:
        """What the last one wrote to its standard error."""
        return (self.home / "err").read_text()

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def elsewhere(
    run_process: RunProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Elsewhere]:
    """Another machine beside that of the run; needs the right to mount."""
    allowed = shutil.which("unshare") and os.geteuid() == 0
    if not allowed or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("this user cannot make mount namespaces")
    one = Elsewhere(run_process, tmp_path_factory.mktemp("elsewhere"))
    yield one
    one.end()
