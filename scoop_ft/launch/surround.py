"""Brings about what `Surroundings` says, for the processes that run the user's code here.

An interpreter of their own, PYTHONPATH, niceness, and what a prolog leaves in the environment.  The
launcher and the broker stay as they were started.  What cannot be had is refused before anything
is started.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..errors import RunError
from ..surroundings import PROFILE_VARIABLE, AsScoop, Surroundings
from .commands import safe_path

if TYPE_CHECKING:
    from ..rundir import RunDir

_PROBE_S: Final = 60.0
_SHELL_S_OWN: Final = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})
_OURS: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
_PROBE: Final = "import sys, scoop_ft; print(scoop_ft.__version__, '%d.%d' % sys.version_info[:2])"
_TELL: Final = "import json, os; print(json.dumps(dict(os.environ)))"


@dataclass(frozen=True)
class Asked:
    """What the command line says of them; None where it does not."""

    scoop: bool = False
    nice: int | None = None
    python_interpreter: str | None = None
    pythonpath: str | None = None
    prolog: str | None = None
    profile: bool = False
    debug: bool = False


NOTHING_ASKED: Final = Asked()


def surroundings(asked: Asked) -> Surroundings:
    """Return what is to be recorded: paths as they hold from wherever the run is resumed."""
    return Surroundings(
        python=_interpreter(asked.python_interpreter),
        nice=asked.nice or 0,
        pythonpath=_absolute_path(asked.pythonpath or ""),
        prolog=_absolute_prolog(asked.prolog or ""),
        profile=asked.profile,
    )


def surroundings_again(before: Surroundings, asked: Asked) -> Surroundings:
    """Return what is to be recorded for a run that is resumed: as before, where nothing is said."""
    now = surroundings(asked)
    return Surroundings(
        python=before.python if asked.python_interpreter is None else now.python,
        nice=before.nice if asked.nice is None else now.nice,
        pythonpath=before.pythonpath if asked.pythonpath is None else now.pythonpath,
        prolog=before.prolog if asked.prolog is None else now.prolog,
        profile=before.profile,
    )


def as_scoop(
    asked: Asked, script: str, workers: int, *, quiet: bool, verbose: bool
) -> AsScoop | None:
    """Return what the script's ``scoop`` is to say; None: it is not started as SCOOP's."""
    if not asked.scoop:
        return None
    import logging

    level = logging.DEBUG if verbose or asked.debug else logging.INFO
    return AsScoop(
        size=workers,
        main_module=script,
        level=logging.WARNING if quiet and not asked.debug else level,
        debug=asked.debug,
    )


def _interpreter(name: str | None) -> str:
    if not name:
        return ""
    import shutil

    found = shutil.which(os.path.expanduser(name))
    if found is None:
        raise RunError(f"--python-interpreter: there is no program {name}")
    return os.path.abspath(found)  # not resolved: a venv's interpreter is a link


def _absolute_path(path: str) -> str:
    return os.pathsep.join(os.path.abspath(part) for part in path.split(os.pathsep) if part)


def _absolute_prolog(prolog: str) -> str:
    return os.path.abspath(prolog) if os.path.exists(prolog) else prolog


# ---- bringing it about --------------------------------------------------------------------------


@dataclass(frozen=True)
class Around:
    """Surroundings that have been looked at and can be had.

    Attributes
    ----------
    python : str
        The interpreter's path.
    version : str
        The first two numbers of its version.
    """

    python: str
    version: str
    _nice: int
    _changes: Mapping[str, str | None]
    _profile: bool

    def command(self, command: Sequence[str]) -> list[str]:
        """Return a command of ours, to be run in them."""
        begin = ["nice", "-n", str(self._nice)] if self._nice else []
        words = command[1:]
        if self.python != sys.executable:  # it may be an older one, which does not know this
            words = [word for word in words if word not in safe_path()]
        return [*begin, self.python, *words]

    def environment(self, environment: dict[str, str], run: RunDir | None = None) -> dict[str, str]:
        """Return an environment as it is in them; ``run``: where to write profiles, if at all."""
        found = {**environment, **{k: v for k, v in self._changes.items() if v is not None}}
        for name, value in self._changes.items():
            if value is None:
                found.pop(name, None)
        found.pop(PROFILE_VARIABLE, None)
        if self._profile and run is not None:
            found[PROFILE_VARIABLE] = str(run.path / "profile")
        return found


@functools.cache
def around(what: Surroundings) -> Around:
    """Look whether surroundings can be had; the prolog runs now, once.

    Raises
    ------
    RunError
        They cannot.
    """
    if what.nice < 0 and hasattr(os, "geteuid") and os.geteuid() != 0:
        raise RunError("--nice: only root may give a priority above the ordinary: 0 to 19")
    changes: dict[str, str | None] = dict(_after(what.prolog)) if what.prolog else {}
    if what.pythonpath:
        before = changes.get("PYTHONPATH", os.environ.get("PYTHONPATH"))
        changes["PYTHONPATH"] = os.pathsep.join(filter(None, [what.pythonpath, before]))
    found = Around(sys.executable, _OURS, what.nice, changes, what.profile)
    if what.python and what.python != sys.executable:
        found = replace(found, python=what.python)
        found = replace(found, version=_version(found))
    return found


def _after(prolog: str) -> dict[str, str | None]:
    """Run the prolog in a shell; return what it has changed in the environment."""
    how = f". {shlex.quote(prolog)}" if _is_script(prolog) else prolog
    tell = f"{shlex.quote(sys.executable)} -c {shlex.quote(_TELL)}"
    import shutil

    shell = shutil.which("bash") or "/bin/sh"
    done = subprocess.run(
        [shell, "-c", f"{{ {how}\n}} >&2 && exec {tell}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise RunError(f"--prolog: {prolog} ended with exit code {done.returncode}: mend it")
    import json

    after: dict[str, str] = json.loads(done.stdout)
    changed: dict[str, str | None] = {
        name: value
        for name, value in after.items()
        if os.environ.get(name) != value and name not in _SHELL_S_OWN
    }
    changed.update(dict.fromkeys(os.environ.keys() - after.keys() - _SHELL_S_OWN))
    return changed


def _is_script(prolog: str) -> bool:
    """A file is sourced, unless it is a program that is no script."""
    if not os.path.isfile(prolog):
        return False
    with open(prolog, "rb") as file:
        return b"\0" not in file.read(512)


def _version(found: Around) -> str:
    """Return an interpreter's version; refuse one that has not this scoop-ft."""
    from .. import __version__

    probe = found.command(["", "-c", _PROBE])
    try:
        done = subprocess.run(
            probe,
            env=found.environment(dict(os.environ)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
            check=False,
        )
    except FileNotFoundError:  # when it was named it was there
        raise RunError(
            f"--python-interpreter: the run's interpreter {found.python} is gone: name another, "
            "or '' for this one"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"--python-interpreter: cannot run {found.python}: {error}") from error
    words = done.stdout.split()
    if done.returncode != 0 or len(words) != 2:
        raise RunError(
            f"--python-interpreter: {found.python} has no scoop-ft: install version "
            f"{__version__} for it"
        )
    theirs, version = words
    if theirs != __version__:
        raise RunError(
            f"--python-interpreter: {found.python} has scoop-ft {theirs}, this is "
            f"{__version__}: install the same"
        )
    return version
