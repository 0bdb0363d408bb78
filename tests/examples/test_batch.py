"""The batch script chains itself until the script has ended; in bash, without a real scheduler.

The stand-in for ``sbatch`` only notes what was submitted; the test starts it, and sends the signal
to the shell alone, as ``--signal=B:USR1`` does.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scoop_ft.client.asking import ask
from scoop_ft.rundir import RunDir

from ..waiting import eventually

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "slurm_chain.sh"
LIMIT_S = 60.0
TASKS = 60
STUDY = """
import sys, time
from scoop_ft import futures

def square(n):
    time.sleep(0.1)
    if n == int(sys.argv[2]):
        sys.exit("this one fails")
    return n * n

if __name__ == "__main__":
    print("sum", sum(futures.map(square, range(int(sys.argv[1])))))
"""


class Jobs:
    """A scheduler that runs a job when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "study.log"
        self._queue = folder / "queue"
        tools = folder / "tools"
        tools.mkdir()
        submit = f'#!/bin/bash\nprintf "%q " "$@" >> {self._queue}; echo >> {self._queue}\n'
        launcher = f'#!/bin/bash\nexec {sys.executable} -m scoop_ft "$@"\n'
        for name, text in (("sbatch", submit), ("scoop-ft", launcher)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "SLURM_CPUS_PER_TASK": "2",
        }

    def submitted(self) -> list[list[str]]:
        """Return the words of each ``sbatch``."""
        return [shlex.split(line) for line in self._queue.read_text().splitlines()]

    def start(self, number: int, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a job, in a group of its own."""
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                ["bash", *words],
                cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
                env={**self._environment, "SLURM_JOB_ID": str(number), **more},
            )  # fmt: skip


@pytest.fixture
def jobs(tmp_path: Path, nothing_left: None) -> Jobs:
    """A scheduler, and a study to be run by it."""
    (tmp_path / "study.py").write_text(STUDY)
    shutil.copy(SCRIPT, tmp_path)
    return Jobs(tmp_path)


def wait_for_done(folder: Path, tasks: int) -> None:
    run = RunDir(folder / "study.run")

    def done() -> bool:
        stats = ask(run, 1.0)
        return stats is not None and stats["tasks"]["done"] >= tasks

    eventually(done)


def test_jobs_follow_each_other_until_the_script_has_ended(jobs: Jobs) -> None:
    words = ["slurm_chain.sh", "study.py", str(TASKS), "-1"]
    job = jobs.start(1, *words)
    wait_for_done(jobs.folder, 15)
    os.kill(job.pid, signal.SIGUSR1)
    assert job.wait(LIMIT_S) == 75, jobs.log.read_text()
    (second,) = jobs.submitted()
    assert second == ["--dependency=afterany:1", *words]

    assert jobs.start(2, *second[1:], STOP_AFTER="2s").wait(LIMIT_S) == 75
    _, third = jobs.submitted()
    assert third == ["--dependency=afterany:2", *words]

    assert jobs.start(3, *third[1:]).wait(LIMIT_S) == 0
    assert len(jobs.submitted()) == 2, "the chain has ended"
    said = jobs.log.read_text()
    assert said.splitlines().count(f"sum {sum(n * n for n in range(TASKS))}") == 1
    assert said.count("resuming") == 2


def test_a_job_that_is_cancelled_or_queued_again_submits_no_other(jobs: Jobs) -> None:
    job = jobs.start(1, "slurm_chain.sh", "study.py", str(TASKS), "-1")
    wait_for_done(jobs.folder, 5)
    os.killpg(job.pid, signal.SIGTERM)  # as scancel and requeue do: all of its processes
    assert job.wait(LIMIT_S) == 75, jobs.log.read_text()
    assert not (jobs.folder / "queue").exists()


def test_an_error_ends_the_chain(jobs: Jobs) -> None:
    assert jobs.start(1, "slurm_chain.sh", "study.py", "5", "3").wait(LIMIT_S) == 1
    assert not (jobs.folder / "queue").exists()
    assert "this one fails" in jobs.log.read_text()
