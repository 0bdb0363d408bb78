"""``--profile``: what the script and the workers' tasks spend their time with, by cProfile.

Off unless the launcher has named a folder.  The profile of a process is written when it ends; one
that is killed leaves none.  cProfile is imported only when it is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
    import marshal

    folder = os.environ[PROFILE_VARIABLE]
    path = os.path.join(folder, f"{role}-{os.getpid()}.prof")
    _profile.snapshot_stats()
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(path, "wb") as file:  # `dump_stats` does it in the profiled thread only
            marshal.dump(_profile.stats, file)
    except OSError as error:
        print(f"scoop-ft: cannot write the profile {path}: {error.strerror}", file=sys.stderr)
