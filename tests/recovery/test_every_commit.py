"""The broker's process is cut at its n-th commit, just before and just after, for every n."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Run

TASKS = 24
ANSWER = f"{sum(n * n for n in range(TASKS))}\n"
MOST = 400  # commits in one run: there are some dozens

# Python imports this module in each process; it is inert in all but the first broker.
CUT = """
import os, signal, sys

if "scoop_ft.broker" in sys.orig_argv and not os.path.exists(os.environ["CUT_DONE"]):
    from scoop_journal import Journal

    commit, count = Journal.commit, 0

    def cut(journal):
        global count
        dirty = journal.dirty
        count += dirty
        now = dirty and count == int(os.environ["CUT_AT"])
        if now:
            open(os.environ["CUT_DONE"], "w").close()
        if now and os.environ["CUT_WHEN"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(journal)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.commit = cut
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.usefixtures("nothing_left")
def test_a_broker_cut_at_each_commit(
    tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(CUT)
    path = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("CUT_WHEN", when)
    for at in range(1, MOST):
        folder = tmp_path / str(at)
        folder.mkdir()
        done = folder / "cut"
        monkeypatch.setenv("CUT_AT", str(at))
        monkeypatch.setenv("CUT_DONE", str(done))
        run = Run(folder)
        try:
            run.program("flat", TASKS, 0.005)
            assert run.finish() == ANSWER
        finally:
            run.end()
        names = [start.name for start in run.ledger.starts() if start.name != "before"]
        assert sorted(map(int, names)) == list(range(TASKS)), f"cut {when} commit {at}"
        if not done.exists():
            break  # the run has fewer commits than that
    assert 3 < at < MOST, "nothing was cut"
