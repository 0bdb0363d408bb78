"""`scoop_ft.Executor`: a `concurrent.futures.Executor` whose program is the root of a run.

`public` is what users call; `home` says where calls go: a run of the executor's own or one that it
has joined (`run`), the run whose script or task this is (`here`).  All of it stands on
`scoop_ft.client` and `scoop_ft.launch`, as the root and the launcher of ``scoop-ft run`` do.
"""

from __future__ import annotations

from .future import Future
from .public import Executor, inside_a_run

__all__ = ["Executor", "Future", "inside_a_run"]
