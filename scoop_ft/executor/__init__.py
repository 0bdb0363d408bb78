"""`scoop_ft.Executor`: a `concurrent.futures.Executor` whose program is the root of a run.

`public` is what users call; `place` says where calls go: a run of the executor's own (`own`), one
that it has joined (`joined`), or the run whose script or task this is (`here`).  All of it stands
on `scoop_ft.client` and `scoop_ft.launch`, as the root and the launcher of ``scoop-ft run`` do.
"""

from __future__ import annotations

from .future import Future
from .place import inside_a_run
from .public import Executor

__all__ = ["Executor", "Future", "inside_a_run"]
