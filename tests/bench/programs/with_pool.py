"""The benchmark on `ProcessPoolExecutor`, whose tasks cannot submit tasks."""

from concurrent.futures import ProcessPoolExecutor

from measure import WORKERS, arguments, measure

if __name__ == "__main__":
    with ProcessPoolExecutor(WORKERS) as pool:
        measure(arguments(), pool.map, pool.submit)
