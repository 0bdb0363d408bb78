"""The user's own modules that this program has loaded, told to the run.

A worker on this machine finds them where the program does; one elsewhere gets them from the
journal.  Nothing is hooked into the imports of a program that is not ours: it is looked what there
is when the run is opened, and when something was imported before a call is submitted.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from typing import Any

from ..client.scopes import forget_meanings
from ..client.sources import Sources
from ..code.own import is_own_place
from ..ids import digest
from ..wire.codec import MAX_SOURCE
from ..wire.messages import SourceRef
from .patched import Patched


class Modules:
    """Tells each module once, and again when it was loaded anew.

    Parameters
    ----------
    sources : Sources
        What has them recorded.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._seen: dict[str, Any] = {}  # by name, the spec: a module that is reloaded gets another
        self._own: dict[str, Any] = {}  # of these, the user's
        self._patched = Patched()
        self._count = 0
        forget_meanings()  # nobody has looked since the last run of this process

    def look(self) -> None:
        """Has something been imported since, or loaded anew?  (Called for each submission.)"""
        if len(sys.modules) != self._count:
            self.say_all()
        for name, spec in list(self._own.items()):  # another thread may submit, too
            if getattr(sys.modules.get(name), "__spec__", None) is not spec:
                forget_meanings()
                self._own.pop(name, None)
                self.say_all()
                return
        for name in self._patched.look():
            forget_meanings()
            self._say_own(name)

    def say_all(self) -> None:
        """Have recorded what is not yet."""
        self._count = len(sys.modules)
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            if name in self._seen and self._seen[name] is spec:
                continue
            self._seen[name] = spec
            self._own.pop(name, None)
            self._patched.forget(name)
            origin = getattr(spec, "origin", None)
            if (
                spec is not None
                and type(getattr(spec, "loader", None)) is SourceFileLoader
                and isinstance(origin, str)
                and spec.name == name
                and is_own_place(name, os.path.dirname(origin))
            ):
                self._own[name] = spec
                self._say_own(name)

    def _say_own(self, name: str) -> None:
        spec = self._own[name]
        path: str = spec.origin
        package = spec.submodule_search_locations is not None
        self._patched.told(name, path)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return  # it is gone: workers will say what they miss
        recorded = self._sources.recorded(name)
        ref = SourceRef(name, "package" if package else "module", path, digest(data))
        if len(data) <= MAX_SOURCE and (recorded is None or recorded.digest != ref.digest):
            self._sources.say(ref, data)
        self._sources.imports_in(name, data, package=package)

    def say_script(self, path: str) -> None:
        """Have the script recorded, which workers import."""
        self._sources.script(path)
