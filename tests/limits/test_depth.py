"""Tasks below tasks below tasks: what waits costs no more the deeper it lies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("programs") / "chain.py"
TIMES = 8  # as deep
SHORTEST_S = 0.05


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_chain_does_not_grow_with_the_square_of_its_depth(tmp_path: Path, workers: int) -> None:
    command = [sys.executable, "-m", "scoop_ft", "run", "-q", "-n", str(workers), str(PROGRAM)]
    done = subprocess.run(
        [*command, "300", str(300 * TIMES)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    short, long = json.loads(done.stdout)
    assert long < TIMES * TIMES * max(short, SHORTEST_S)
