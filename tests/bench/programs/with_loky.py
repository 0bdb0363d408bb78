"""The benchmark on loky's reusable executor."""

from loky import get_reusable_executor
from measure import WORKERS, arguments, measure

if __name__ == "__main__":
    pool = get_reusable_executor(max_workers=WORKERS)
    measure(arguments(), pool.map, pool.submit)
