"""How many threads each worker's numerical libraries may start: its share of the cores.

Decided before a worker's first import, since the libraries look once, when they are loaded.  What
the user has said stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FOR_ALL: Final = "OMP_NUM_THREADS"  # what most look at when their own is not set
VARIABLES: Final = (
    FOR_ALL,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def limited(environment: Mapping[str, str], workers: int, cores: int) -> dict[str, str]:
    """Return an environment in which each worker's libraries keep to its share of the cores."""
    if FOR_ALL in environment:
        return dict(environment)
    share = str(max(1, cores // max(1, workers)))
    return {**dict.fromkeys(VARIABLES, share), **environment}
