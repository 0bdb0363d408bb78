"""``--profile``: what the script and the workers' tasks spend their time with, by cProfile.

Off unless the launcher has named a folder.  The profile of a process is written when it ends; one
that is killed leaves none.  cProfile is imported only when it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .surroundings import PROFILE_VARIABLE

if TYPE_CHECKING:
    from cProfile import Profile

_profile: Profile | None = None


def is_wanted() -> bool:
    """Shall this process be profiled?"""
    return PROFILE_VARIABLE in os.environ


def profile() -> Profile:
    """Return the one profile of this process."""
    global _profile
    if _profile is None:
        from cProfile import Profile

        _profile = Profile()
    return _profile


@contextmanager
def profiled(role: str) -> Iterator[None]:
    """Profile what is done in here, and write it down, if that is wanted."""
    if not is_wanted():
        yield
        return
    mine = profile()
    mine.enable()
    try:
        yield
    finally:
        mine.disable()
        save(role)


def save(role: str) -> None:
    """Write down what there is."""
    if _profile is None:
        return
    folder = os.environ[PROFILE_VARIABLE]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{role}-{os.getpid()}.prof")
    stats: dict[Any, Any] = _stats(_profile)
    import marshal

    with open(path, "wb") as file:  # as `Profile.dump_stats`, which only the profiled thread may
        marshal.dump(stats, file)


def _stats(found: Profile) -> dict[Any, Any]:
    found.snapshot_stats()  # type: ignore[attr-defined]
    stats: dict[Any, Any] = found.stats  # type: ignore[attr-defined]
    return stats
