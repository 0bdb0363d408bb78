"""``python -m tests.bench.search MB FITS``: a search whose calls share one large array.

`GridSearchCV` with a model that does next to nothing, through the joblib backend: the time, and
what the journal takes of the disk.  Its program's processor time is mostly what it takes to know
the array again at each call.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV

import scoop_ft

FOLDS = 5


def main(megabytes: int, fits: int) -> None:
    """Search once, and print what it took."""
    x = numpy.random.default_rng(0).random((megabytes * 1000, 125))
    y = numpy.arange(len(x)) % 2
    grid = {"random_state": list(range(fits // FOLDS))}
    scoop_ft.register_joblib()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with scoop_ft.Executor(2, run_dir=Path(folder, "run")) as executor:
            with joblib.parallel_config("scoop_ft", n_jobs=2, executor=executor):
                model = DummyClassifier(strategy="uniform")
                GridSearchCV(model, grid, cv=FOLDS, refit=False).fit(x, y)
            took_s = time.perf_counter() - began
        journal = Path(folder, "run", "journal", "data.mdb").stat().st_blocks * 512
    print(
        f"{fits} fits on {x.nbytes / 1e6:.0f} MB: {took_s:.1f} s, {time.process_time():.1f} s of "
        f"the program's processor time, a journal of {journal / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
