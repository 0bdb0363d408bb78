"""Large arrays of joblib's calls: they travel once, and are known by what is in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import scoop_ft
from scoop_ft import Executor

from ..waiting import eventually
from . import calls
from .conftest import LIMIT_S, Program, kill, live, wait_until

joblib = pytest.importorskip("joblib", reason="joblib is not installed: pip install .[adapters]")
np = pytest.importorskip("numpy")

scoop_ft.register_joblib()
MB = 1 << 20


def large(number: float, megabytes: int = 4) -> Any:
    return np.full(megabytes * MB // 8, number)


def total(x: Any, n: int) -> float:
    return float(x.sum()) + n


def is_writable(x: Any, n: int) -> bool:
    return bool(x.flags.writeable)


def total_noted(folder: str, x: Any, n: int) -> float:
    calls.note(folder, n)
    return total(x, n)


def recorded_bytes(run_dir: Path) -> int:
    """Return what the journal takes of the disk."""
    return (run_dir / "journal" / "data.mdb").stat().st_blocks * 512


def shared_bytes(executor: Executor) -> int:
    """Return how much goes as constants."""
    consts = executor._runtime().session.consts
    return sum(len(buffer) for _, buffers in consts.values() for buffer in buffers)


def opened(path: Path) -> Executor:
    return Executor(2, run_dir=path / "run")


def in_parallel(executor: Executor, wanted: Any, **more: Any) -> Any:
    with joblib.parallel_config("scoop_ft", n_jobs=2, executor=executor):
        return joblib.Parallel(**more)(wanted)


def test_an_array_of_many_calls_is_recorded_once(tmp_path: Path) -> None:
    x = large(0.5, 8)
    with opened(tmp_path) as executor:
        found = in_parallel(executor, (joblib.delayed(total)(x, n) for n in range(20)))
        deep = in_parallel(
            executor, (joblib.delayed(total_of_deep)({"x": [x]}, n) for n in range(10))
        )
    assert found == [x.sum() + n for n in range(20)]
    assert deep == [x.sum() + n for n in range(10)]
    assert recorded_bytes(tmp_path / "run") < 3 * x.nbytes


def total_of_deep(inside: Any, n: int) -> float:
    return total(inside["x"][0], n)


def place(x: Any, n: int) -> tuple[int, int, bool]:
    return os.getpid(), x.__array_interface__["data"][0], bool(x.flags.aligned)


def test_a_worker_has_an_array_once(tmp_path: Path) -> None:
    x = large(1.0)
    with opened(tmp_path) as executor:
        found = in_parallel(executor, (joblib.delayed(place)(x, n) for n in range(20)))
    assert all(aligned for _, _, aligned in found)
    places = set(found[1:])  # the first came with its call
    assert len(places) == len({pid for pid, _, _ in places})


def total_or_die(folder: str, x: Any, n: int) -> float:
    """Return the total; calls 5 and 12 kill their workers at first."""
    calls.note(folder, n)
    if n in (5, 12) and calls.noted(Path(folder), n) == 1:
        kill(os.getpid())
    return total(x, n)


def test_a_worker_that_comes_later_has_it_too(tmp_path: Path) -> None:
    x = large(1.0)
    with opened(tmp_path) as executor:
        wanted = (joblib.delayed(total_or_die)(str(tmp_path), x, n) for n in range(20))
        assert in_parallel(executor, wanted) == [x.sum() + n for n in range(20)]
    assert recorded_bytes(tmp_path / "run") < 3 * x.nbytes


def test_after_shutdown_it_is_said(tmp_path: Path) -> None:
    executor, x = opened(tmp_path), large(1.0)
    wanted = [joblib.delayed(total)(x, n) for n in range(3)]
    assert len(in_parallel(executor, wanted)) == 3
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        in_parallel(executor, [joblib.delayed(total)(large(3.0), 0)] * 3)


def test_large_arrays_are_read_only_unless_joblib_is_told_otherwise(tmp_path: Path) -> None:
    """Whichever way they came, as with joblib's memmaps."""
    x, small = large(1.0), np.ones(10)
    with opened(tmp_path) as executor:
        wanted = [joblib.delayed(is_writable)(a, n) for a in (x, small) for n in range(3)]
        assert in_parallel(executor, wanted) == [False] * 3 + [True] * 3
        for how in ({"max_nbytes": None}, {"mmap_mode": "c"}):
            assert in_parallel(executor, wanted, **how) == [True] * 6
    assert x.flags.writeable


def test_arrays_of_one_call_each_do_not_stay_with_the_workers(tmp_path: Path) -> None:
    with opened(tmp_path) as executor:
        images = (joblib.delayed(total)(large(n, 1), 0) for n in range(30))
        assert len(in_parallel(executor, images)) == 30
        assert shared_bytes(executor) == 0


def test_workers_keep_so_much_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from scoop_ft import joblib_large

    monkeypatch.setattr(joblib_large, "MOST_KEPT", 9 * MB)
    monkeypatch.setattr(joblib_large, "SAID_AT", 40 * MB)
    with opened(tmp_path) as executor:
        wanted = [joblib.delayed(total)(large(a), n) for a in range(4) for n in range(8)]
        expected = [a * 4 * MB / 8 + n for a in range(4) for n in range(8)]
        assert in_parallel(executor, wanted) == expected
        assert shared_bytes(executor) == 8 * MB
    said = capfd.readouterr().err
    assert said.count("large arrays") == 1, said
    assert said.count("\n") == 1, said


def changed_between(executor: Executor, x: Any, folder: Path) -> Any:
    found = []
    for n in range(6):
        x[0] = n
        found += in_parallel(executor, [joblib.delayed(total_noted)(str(folder), x, n)])
    return found


def test_what_is_in_an_array_is_what_it_is(tmp_path: Path) -> None:
    """The same object with other bytes is another argument, in one launch and over two."""
    x = large(0.0)
    for _ in range(2):
        with opened(tmp_path) as executor:
            assert changed_between(executor, x, tmp_path) == [2.0 * n for n in range(6)]
    assert [calls.noted(tmp_path, n) for n in range(6)] == [1] * 6
    x[1] = 1.0
    with opened(tmp_path) as executor:
        assert changed_between(executor, x, tmp_path) == [2.0 * n + 1 for n in range(6)]
    assert [calls.noted(tmp_path, n) for n in range(6)] == [2] * 6


def test_a_call_is_the_same_whichever_way_its_array_came(tmp_path: Path) -> None:
    """The first call carries it, later ones do not: in whatever order they are made again."""
    x, y = large(1.0), large(2.0)
    wanted = [(a, n) for n in range(3) for a in (x, y)]
    numbered = [(a, n) for n, (a, _) in enumerate(wanted)]
    for order in (1, -1, 1):
        with opened(tmp_path) as executor:
            again = [joblib.delayed(total_noted)(str(tmp_path), *w) for w in numbered[::order]]
            expected = [float(a.sum()) + n for a, n in numbered[::order]]
            assert in_parallel(executor, again) == expected
    assert [calls.noted(tmp_path, n) for n in range(6)] == [1] * 6


class Kind(np.ndarray):  # type: ignore[misc]
    """A subclass."""


def described(x: Any, n: int) -> Any:
    data = np.ma.getdata(x)
    layout = (x.flags.c_contiguous, x.flags.f_contiguous)
    return type(x).__name__, x.dtype, x.shape, layout, data.tolist(), str(np.ma.getmask(x))


def test_arrays_of_every_kind(tmp_path: Path) -> None:
    base = np.arange(MB * 5 // 32, dtype="f8").reshape(512, -1)  # 1.25 MB
    mapped = np.memmap(tmp_path / "mapped", dtype="f8", mode="w+", shape=base.shape)
    mapped[:] = base
    frozen = base.copy()
    frozen.flags.writeable = False
    kinds = [
        base, np.asfortranarray(base), base[:, ::2], base[::2], base.T, base.view(Kind),
        np.ma.masked_array(base, base > 7), base.astype(object), frozen, mapped,
        base.astype("f4").view([("a", "f4"), ("b", "f4")]), base.astype(">f8"),
        np.zeros((0, 5)), base.astype("M8[s]"),
    ]  # fmt: skip
    wanted = [joblib.delayed(described)(x, n) for n in range(3) for x in kinds]
    with opened(tmp_path) as executor:
        ours = in_parallel(executor, wanted)
    with joblib.parallel_config("loky", n_jobs=2, max_nbytes=None):
        theirs = joblib.Parallel()(wanted)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other


def test_options_and_lambdas(tmp_path: Path) -> None:
    from scoop_ft import options

    x = large(1.0)
    for _ in range(2):
        with opened(tmp_path) as executor:
            limited = joblib.delayed(options(total_noted, time_limit=60))
            found = in_parallel(executor, (limited(str(tmp_path), x, n) for n in range(6)))
            assert found == [x.sum() + n for n in range(6)]
            by_value = joblib.delayed(lambda a, n: float(a.sum()) - n)
            found = in_parallel(executor, (by_value(x, n) for n in range(6)))
            assert found == [x.sum() - n for n in range(6)]
    assert [calls.noted(tmp_path, n) for n in range(6)] == [1] * 6
    assert recorded_bytes(tmp_path / "run") < 3 * x.nbytes


def test_what_cannot_be_sent_is_named(tmp_path: Path) -> None:
    from scoop_ft.errors import UnpicklableError

    with opened(tmp_path) as executor, pytest.raises(UnpicklableError, match="generator"):
        in_parallel(executor, [joblib.delayed(total)((large(1.0), (n for n in ())), 0)] * 2)


SLOW = """
import os, sys, time
import joblib, numpy
import scoop_ft

def slow(x, n):
    with open(f"ran-{n}", "a") as file:
        file.write("x")
    while n >= 5 and not os.path.exists("go"):
        time.sleep(0.01)
    return float(x.sum()) + n

if __name__ == "__main__":
    scoop_ft.register_joblib()
    x = numpy.full(1 << 19, 0.5)
    with joblib.parallel_config("scoop_ft", n_jobs=2, **eval(sys.argv[1])):
        found = []
        wanted = (joblib.delayed(slow)(x, n) for n in range(10))
        for one in joblib.Parallel(return_as="generator")(wanted):
            open(f"got-{len(found)}", "w").close()
            found.append(one)
        print(found)
"""
RESULTS = f"{[(1 << 18) + float(n) for n in range(10)]}\n"


def test_everything_killed(program: Program) -> None:
    program.write(SLOW)
    started = program.start("program.py", "dict(run_dir='run')")
    there = live(program.run_dir)
    wait_until(program.folder / "got-4")  # maybe not yet on the disk
    eventually(
        lambda: program.run("-m", "scoop_ft", "journal", "ls", "run")[0].count(" done ") >= 5
    )
    pids = [started.pid, there.broker.pid, *(worker.pid for worker in there.workers)]  # type: ignore[union-attr]
    for pid in pids:
        os.kill(pid, 9)
    eventually(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids[1:]))
    before = [
        (program.folder / f"ran-{n}").read_text() for n in range(5)
    ]  # idle workers run copies
    (program.folder / "go").touch()
    out, err, code = program.run("program.py", "dict(run_dir='run')")
    assert (out, code) == (RESULTS, 0), err
    assert [(program.folder / f"ran-{n}").read_text() for n in range(5)] == before
    assert recorded_bytes(program.run_dir) < 3 * (4 * MB)


def test_in_a_script_and_in_a_run_that_is_served(program: Program) -> None:
    program.write(SLOW)
    (program.folder / "go").touch()
    command = [sys.executable, "-m", "scoop_ft"]
    out, err, code = program.run(
        "-m", "scoop_ft", "run", "-n", "2", "--run-dir", "script", "program.py", "{}"
    )
    assert (out, code) == (RESULTS, 0), err
    assert recorded_bytes(program.folder / "script") < 3 * (4 * MB)
    serve = subprocess.Popen(
        [*command, "serve", "lab", "-n", "2"], cwd=program.folder, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    before: list[str] = []
    try:
        live(program.folder / "lab")
        for _ in range(2):
            out, err, code = program.run("program.py", "dict(address='lab')")
            assert (out, code) == (RESULTS, 0), err
            ran = [(program.folder / f"ran-{n}").read_text() for n in range(10)]
            before = before or ran
            assert ran == before
    finally:
        serve.terminate()
        serve.wait(LIMIT_S)
    assert recorded_bytes(program.folder / "lab") < 3 * (4 * MB)
