"""Numerical libraries keep to a worker's share of the cores, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoop_ft.launch.processes import usable_cores
from scoop_ft.launch.threads import FOR_ALL, VARIABLES, limited

LIMIT_S = 60.0
SCRIPT = """\
import os
from scoop_ft import futures

def threads(n):
    import numpy
    import threadpoolctl
    found = threadpoolctl.threadpool_info()
    assert found, "numpy has no BLAS that threadpoolctl knows"
    return max(pool["num_threads"] for pool in found), os.environ.get("OMP_NUM_THREADS")

if __name__ == "__main__":
    print(set(futures.map(threads, range(4))), os.environ.get("OMP_NUM_THREADS"))
"""


@pytest.mark.parametrize(
    ("workers", "cores", "share"), [(1, 8, "8"), (2, 8, "4"), (3, 8, "2"), (9, 8, "1")]
)
def test_each_worker_has_its_share(workers: int, cores: int, share: str) -> None:
    found = limited({"PATH": "/bin"}, workers, cores)
    assert found == {"PATH": "/bin", **dict.fromkeys(VARIABLES, share)}


def test_what_the_user_has_set_stays() -> None:
    found = limited({"MKL_NUM_THREADS": "7"}, 2, 8)
    assert found["MKL_NUM_THREADS"] == "7"
    assert found["OPENBLAS_NUM_THREADS"] == "4"


def test_the_variable_that_all_look_at_stands_for_all() -> None:
    assert limited({FOR_ALL: "3"}, 2, 8) == {FOR_ALL: "3"}


def run(folder: Path, workers: int, **environ: str) -> str:
    (folder / "script.py").write_text(SCRIPT)
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", str(workers), "script.py"],
        cwd=folder,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", [1, 2])
def test_numpy_in_a_task(tmp_path: Path, nothing_left: None, workers: int) -> None:
    share = max(1, usable_cores() // workers)
    assert run(tmp_path, workers) == f"{{({share}, '{share}')}} None\n"  # the script is left alone


def test_numpy_in_a_task_as_the_user_wants_it(tmp_path: Path, nothing_left: None) -> None:
    assert run(tmp_path, 2, OPENBLAS_NUM_THREADS="2").startswith("{(2, '")
    assert run(tmp_path, 2, OMP_NUM_THREADS="2") == "{(2, '2')} 2\n"
