"""The versions that a run depends on: its Python, and the installed packages in use.

Says what this process has, and in what it differs from what a run has.  It is `importlib.metadata`
that knows; it takes 50 ms to import and as long again to search, so it is imported when it is used,
and never before a script begins.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Collection, Iterable

from .wire.messages import Environment

NAME = "environment"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_TOOLS = ("setuptools", "pip", "typing-extensions")  # imported by others' doing
MOST_NAMED = 4  # differences in one message


def bare() -> Environment:
    """Return this Python, without looking for packages."""
    python = ".".join(map(str, sys.version_info[:3]))
    return Environment(python, sys.implementation.name, {}, complete=False)


def installed_in_use(but: Iterable[str] = ()) -> frozenset[str]:
    """Return the top-level modules of installed packages that are imported, but for some."""
    found = set()
    for name, module in list(sys.modules.items()):
        if "." not in name and _is_installed(module):
            found.add(name)
    return frozenset(found.difference(but))


def _is_installed(module: object) -> bool:
    return _lies_in_packages(getattr(module, "__file__", None), getattr(module, "__path__", None))


def _lies_in_packages(file: object, places: Iterable[str] | None) -> bool:
    if not isinstance(file, str):  # a package without __init__.py
        file = next(iter(places), "") + "/" if places is not None else ""
    file = file.replace("\\", "/")
    return any(place in file for place in _INSTALLED)


def installed(names: Iterable[str], but: Collection[str] = ()) -> list[str]:
    """Return those of these top-level modules that could be imported from installed packages.

    Those of packages named in ``but``, in small letters, are left out.
    """
    from importlib.util import find_spec

    found = []
    for name in sorted(name for name in names if _plain(name) not in but):
        with contextlib.suppress(ImportError, ValueError):  # it is damaged, or was made by hand
            spec = find_spec(name)
            if spec is not None and _lies_in_packages(spec.origin, spec.submodule_search_locations):
                found.append(name)
    return found


def of_modules(names: Iterable[str], but: Collection[str] = ()) -> Environment:
    """Return this Python and the versions of the packages that these top-level modules are of.

    Packages named in ``but``, in small letters, are left out.
    """
    from importlib import metadata

    packages: dict[str, str] = {}
    unknown = []
    for name in sorted(names):
        version = installed_version(name)
        if version is None:
            unknown.append(name)
        else:
            packages[name] = version
    if unknown:  # they are called otherwise than their packages: PIL is of pillow
        owners = metadata.packages_distributions()
        for package in sorted({owner for name in unknown for owner in owners.get(name, ())}):
            packages[package] = installed_version(package) or ""
    packages = {name: version for name, version in packages.items() if _plain(name) not in but}
    here = bare()
    return Environment(here.python, here.implementation, packages, complete=True)


def own_packages() -> set[str]:
    """Return, in small letters, the packages no user has chosen: scoop-ft and what it needs."""
    from importlib import metadata

    found: set[str] = set()
    waiting = ["scoop-ft", *_TOOLS]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # it is there without having been installed
        for need in needs:
            if "extra ==" not in need:
                waiting.append(_plain(re.split(r"[^\w.-]", need, maxsplit=1)[0]))
    return found


def _plain(package: str) -> str:
    return package.lower().replace("_", "-")


def installed_version(package: str) -> str | None:
    """Return the version of an installed package; None: it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def differences(run: Environment) -> list[str]:
    """Say in what this Python and what is installed for it differ from a run's."""
    found = []
    here = bare()
    if (here.implementation, _minor(here.python)) != (run.implementation, _minor(run.python)):
        found.append(f"{_python(here)}, the run uses {_python(run)}")
    for package, version in sorted(run.packages.items()):
        mine = installed_version(package)
        if mine != version:
            has = f"{package} {mine}" if mine else f"no {package}"
            found.append(f"{has}, the run uses {version}")
    return found


def together(different: list[str]) -> str:
    """Return differences as a part of one line."""
    more = len(different) - MOST_NAMED
    return "; ".join(different[:MOST_NAMED] + ([f"and {more} more"] if more > 0 else []))


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _python(one: Environment) -> str:
    kind = "Python" if one.implementation == "cpython" else one.implementation
    return f"{kind} {one.python}"
