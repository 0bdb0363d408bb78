"""Libraries that people use, with our executor and pool in them: the real ones."""

from __future__ import annotations

import concurrent.futures
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoop_ft import Executor, Pool

from . import calls
from .conftest import LIMIT_S, Program, kill, live


def needs(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with Executor(2, run_dir=tmp_path_factory.mktemp("libraries") / "run") as made:
        yield made


# ---- scipy, emcee, dynesty, pymoo, DEAP ----------------------------------------------------------


def bowl(x: Any) -> float:
    return float(((x - 1.0) ** 2).sum())


def log_probability(x: Any) -> float:
    return float(-0.5 * (x**2).sum())


def from_unit_cube(u: Any) -> Any:
    return 10.0 * u - 5.0


def test_scipy(executor: Executor) -> None:
    optimize = needs("scipy.optimize")
    options: dict[str, Any] = {"rng": 1, "maxiter": 15, "updating": "deferred", "polish": False}
    with Pool(executor=executor) as pool:
        ours = optimize.differential_evolution(bowl, [(-5, 5)] * 3, workers=pool.map, **options)
    theirs = optimize.differential_evolution(bowl, [(-5, 5)] * 3, **options)
    assert (ours.x == theirs.x).all()
    assert ours.nfev == theirs.nfev


def test_emcee(executor: Executor) -> None:
    emcee = needs("emcee")
    import numpy as np

    start = np.random.default_rng(3).normal(size=(10, 2))

    def chain(pool: Any) -> Any:
        sampler = emcee.EnsembleSampler(10, 2, log_probability, pool=pool)
        sampler.random_state = np.random.RandomState(5).get_state()
        sampler.run_mcmc(start, 20)
        return sampler.get_chain()

    with Pool(executor=executor) as pool:
        assert (chain(pool) == chain(None)).all()


def test_dynesty(executor: Executor) -> None:
    dynesty = needs("dynesty")
    import numpy as np

    with Pool(executor=executor) as pool:
        sampler = dynesty.NestedSampler(
            log_probability, from_unit_cube, 2, nlive=30, pool=pool, queue_size=4,
            rstate=np.random.default_rng(1),
        )  # fmt: skip
        sampler.run_nested(maxiter=60, print_progress=False)
    assert np.isfinite(sampler.results.logz[-1])


def test_pymoo(executor: Executor) -> None:
    needs("pymoo")
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.optimize import minimize
    from pymoo.parallelization.starmap import StarmapParallelization

    class Bowl(ElementwiseProblem):  # type: ignore[misc]
        def __init__(self, **more: Any) -> None:
            super().__init__(n_var=3, n_obj=1, xl=-5, xu=5, **more)

        def _evaluate(self, x: Any, out: Any, *args: Any, **more: Any) -> None:
            out["F"] = bowl(x)

    with Pool(executor=executor) as pool:
        problem = Bowl(elementwise_runner=StarmapParallelization(pool.starmap))
        ours = minimize(problem, GA(pop_size=10), ("n_gen", 5), seed=1)
    theirs = minimize(Bowl(), GA(pop_size=10), ("n_gen", 5), seed=1)
    assert ours.F == theirs.F


DEAP = """
import random
from deap import algorithms, base, creator, tools
from scoop_ft import Executor

creator.create("Fitness", base.Fitness, weights=(1.0,))
creator.create("Individual", list, fitness=creator.Fitness)

def ones(individual):
    return (sum(individual),)

toolbox = base.Toolbox()
toolbox.register("bit", random.randint, 0, 1)
toolbox.register("individual", tools.initRepeat, creator.Individual, toolbox.bit, 30)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)
toolbox.register("evaluate", ones)
toolbox.register("mate", tools.cxTwoPoint)
toolbox.register("mutate", tools.mutFlipBit, indpb=0.05)
toolbox.register("select", tools.selTournament, tournsize=3)

def best(seed):
    random.seed(seed)
    population = toolbox.population(n=40)
    algorithms.eaSimple(population, toolbox, 0.5, 0.2, 5, verbose=False)
    return [sum(individual) for individual in population]

if __name__ == "__main__":
    alone = best(7)
    with Executor(max_workers=2, run_dir="run") as executor:
        toolbox.register("map", executor.map)
        print(best(7) == alone, len(alone))
"""


def test_deap(program: Program) -> None:
    needs("deap")
    program.write(DEAP)
    out, err, code = program.run()
    assert (out, code) == ("True 40\n", 0), err


GP = """
import operator, random, sys
from functools import partial
from deap import base, creator, gp, tools
from scoop_ft import Executor

def draw():
    return random.uniform(-1, 1)

primitives = gp.PrimitiveSet("MAIN", 1)
primitives.addPrimitive(operator.add, 2)
primitives.addEphemeralConstant("constant", CONSTANT)
creator.create("Fitness", base.Fitness, weights=(-1.0,))
creator.create("Individual", gp.PrimitiveTree, fitness=creator.Fitness)
toolbox = base.Toolbox()
toolbox.register("expression", gp.genFull, pset=primitives, min_=2, max_=4)
toolbox.register("individual", tools.initIterate, creator.Individual, toolbox.expression)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)

def evaluate(individual):
    open("evaluated", "a").write("x")
    return gp.compile(individual, primitives)(1.0),

if __name__ == "__main__":
    random.seed(3)
    with Executor(max_workers=2, run_dir="run") as executor:
        print(sum(value for value, in executor.map(evaluate, toolbox.population(n=40))))
"""


@pytest.mark.parametrize("constant", ["draw", "partial(draw)", "lambda: random.uniform(-1, 1)"])
def test_deaps_ephemeral_constants_are_the_same_calls_again(
    program: Program, constant: str
) -> None:
    """Their class is pickled with its address, which is another one in each process."""
    needs("deap")
    program.write(GP.replace("CONSTANT", constant))
    evaluated = program.folder / "evaluated"
    first, err, _ = program.run("-W", "ignore", "program.py")
    assert first, err
    evaluated.unlink()
    second, err, _ = program.run("-W", "ignore", "program.py")
    assert second == first, err
    assert not evaluated.exists()


# ---- progress ------------------------------------------------------------------------------------


def test_tqdm(executor: Executor) -> None:
    tqdm = needs("tqdm")
    shown = io.StringIO()
    futures = [executor.submit(calls.square, n) for n in range(30)]
    done = tqdm.tqdm(concurrent.futures.as_completed(futures), total=30, file=shown)
    assert sorted(future.result() for future in done) == [n * n for n in range(30)]
    assert "30/30" in shown.getvalue()
    mapped = tqdm.tqdm(executor.map(calls.square, range(20)), total=20, file=shown)
    assert list(mapped) == [n * n for n in range(20)]


def test_rich(executor: Executor) -> None:
    from rich.console import Console
    from rich.progress import Progress

    shown = io.StringIO()
    with Progress(console=Console(file=shown, force_terminal=True, width=80)) as progress:
        bar = progress.add_task("squares", total=30)
        futures = [executor.submit(calls.square, n) for n in range(30)]
        for _ in concurrent.futures.as_completed(futures, LIMIT_S):
            progress.advance(bar)
    assert progress.finished
    assert "100%" in shown.getvalue()


# ---- joblib and scikit-learn ---------------------------------------------------------------------


@pytest.fixture
def joblib() -> Any:
    found = needs("joblib")
    import scoop_ft

    scoop_ft.register_joblib()
    return found


def inner(n: int) -> int:
    import joblib

    nested = joblib.Parallel(n_jobs=4)(joblib.delayed(calls.square)(k) for k in range(n))
    return int(sum(nested))


def test_joblib(joblib: Any, executor: Executor) -> None:
    with joblib.parallel_config("scoop_ft", n_jobs=2, executor=executor):
        found = joblib.Parallel()(joblib.delayed(calls.square)(n) for n in range(50))
        assert found == [n * n for n in range(50)]
        pids = joblib.Parallel()(joblib.delayed(calls.pid_after)(0.01) for _ in range(6))
        assert os.getpid() not in pids
        results = joblib.Parallel(return_as="generator")(
            joblib.delayed(calls.square)(n) for n in range(20)
        )
        assert list(results) == [n * n for n in range(20)]
        with pytest.raises(ValueError, match="oh"):
            joblib.Parallel()(joblib.delayed(calls.fail)("oh") for _ in range(3))
        assert joblib.Parallel()(joblib.delayed(calls.square)(n) for n in range(3)) == [0, 1, 4]


def test_options_of_a_function_that_joblib_calls(joblib: Any, executor: Executor) -> None:
    from scoop_ft import options
    from scoop_ft.errors import TaskTimeout

    limited = joblib.delayed(options(calls.pause, time_limit=60))
    hasty = joblib.delayed(options(calls.pause, time_limit=0.5))
    with joblib.parallel_config("scoop_ft", n_jobs=2, executor=executor):
        assert joblib.Parallel()(limited(0) for _ in range(3)) == [0, 0, 0]
        with pytest.raises(TaskTimeout):
            joblib.Parallel()(hasty(600) for _ in range(1))
        with pytest.raises(ValueError, match="one by one"):
            joblib.Parallel(batch_size=2)(limited(0) for _ in range(4))


def test_joblib_nested(joblib: Any, executor: Executor) -> None:
    with joblib.parallel_config("scoop_ft", n_jobs=2, executor=executor):
        assert joblib.Parallel()(joblib.delayed(inner)(n) for n in range(5)) == [0, 0, 1, 5, 14]


LATE = """
import multiprocessing, time
import joblib, scoop_ft

def pause(seconds):
    time.sleep(seconds)

if __name__ == "__main__":
    scoop_ft.register_joblib()
    with joblib.parallel_config("scoop_ft", n_jobs=2):
        joblib.Parallel()(joblib.delayed(pause)(0) for _ in range(4))
        try:
            joblib.Parallel(timeout=1)(joblib.delayed(pause)(1000) for _ in range(20))
        except multiprocessing.TimeoutError:
            print("late")
"""


def test_what_joblib_gives_up_holds_no_program(joblib: Any, program: Program) -> None:
    """Its other backends end what runs when a call is late, or has failed."""
    program.write(LATE)
    assert program.run() == ("late\n", "", 0)


def test_joblib_by_itself(joblib: Any) -> None:
    for workers in (1, 2):
        with joblib.parallel_config("scoop_ft", n_jobs=workers):
            for _ in range(2):
                found = joblib.Parallel()(joblib.delayed(calls.square)(n) for n in range(5))
                assert found == [n * n for n in range(5)]


def test_joblib_reuses_what_is_done(joblib: Any, tmp_path: Path) -> None:
    for _ in range(2):
        with (
            Executor(2, run_dir=tmp_path / "run") as own,
            joblib.parallel_config("scoop_ft", n_jobs=2, executor=own),
        ):
            calls_ = (joblib.delayed(calls.note)(str(tmp_path), n) for n in range(10))
            assert joblib.Parallel()(calls_) == [n * n for n in range(10)]
    assert [calls.noted(tmp_path, n) for n in range(10)] == [1] * 10


SEARCH = """
import sys
import joblib, scoop_ft
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

def score(estimator, x, y):
    with open("scored", "a") as file:
        file.write("x")
    return estimator.score(x, y)

if __name__ == "__main__":
    x, y = make_classification(60, random_state=0)
    scorer = score if sys.argv[1] == "name" else lambda *args: score(*args)
    scoop_ft.register_joblib()
    with joblib.parallel_config("scoop_ft", n_jobs=2, run_dir="run"):
        search = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=2, n_jobs=2, scoring=scorer)
        print(search.fit(x, y).cv_results_["mean_test_score"])
"""


@pytest.mark.parametrize("how", ["name", "value"])
def test_a_search_that_is_run_again_reuses_what_is_done(program: Program, how: str) -> None:
    """Though scikit-learn gives the time and a random number to each call."""
    needs("sklearn")
    program.write(SEARCH)
    first, second = (program.run("program.py", how) for _ in range(2))
    assert first[2] == 0, first[1]
    assert second[::2] == first[::2], second[1]
    assert (program.folder / "scored").read_text() == "x" * 6


def score_and_kill(folder: str, estimator: Any, x: Any, y: Any) -> float:
    """Score; the first call of all kills its worker."""
    try:
        os.close(os.open(Path(folder, "died"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return float(estimator.score(x, y))
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def test_scikit_learn_with_a_worker_killed(joblib: Any, tmp_path: Path, nothing_left: None) -> None:
    needs("sklearn")
    import functools

    from sklearn.datasets import make_classification
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    x, y = make_classification(80, random_state=0)
    grid = {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1]}
    theirs = GridSearchCV(SVC(), grid, cv=3, n_jobs=1).fit(x, y)
    with (
        Executor(2, run_dir=tmp_path / "run") as own,
        joblib.parallel_config("scoop_ft", executor=own),
    ):
        own.submit(calls.square, 1).result(LIMIT_S)
        kill(live(tmp_path / "run").workers[0].pid)
        scoring = functools.partial(score_and_kill, str(tmp_path))
        ours = GridSearchCV(SVC(), grid, cv=3, n_jobs=2, scoring=scoring).fit(x, y)
    assert (tmp_path / "died").exists()
    assert ours.best_params_ == theirs.best_params_
    assert (ours.cv_results_["mean_test_score"] == theirs.cv_results_["mean_test_score"]).all()
