"""Imports the user's own modules in the version that the run uses, wherever their files are.

A finder before all others: what they find that is the user's own is loaded through it, so that the
bytes that are run are those that are recorded; and what is recorded is found though there is no
file, or another one.  Which version that is `OwnCode` decides; modules of Python and of installed
packages go their usual way.

It knows nothing of sockets and sessions.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import Any, Protocol

from ..code.own import is_own_place
from ..wire.messages import SourceRef


class OwnCode(Protocol):
    """Which version of a module is run, and who hears of it."""

    def recorded(self, name: str) -> SourceRef | None:
        """Return what is recorded of a module."""

    def choose(self, name: str, kind: str, path: str, found: bytes | None) -> bytes:
        """Return the bytes to run, given those of the file (None: there is none)."""

    def look(self, name: str, found: bytes | None) -> bytes | None:
        """Return the bytes that would be run, without running them."""

    def namespace(self, name: str, path: str) -> None:
        """Take note of a package that has no code of its own."""


class OwnLoader(SourceFileLoader):
    """Loads one of the user's own modules.

    Python's cache of compiled code is used, and made, for files that are run as they are.
    """

    def __init__(self, name: str, path: str, code: OwnCode) -> None:
        super().__init__(name, path)
        self._code = code
        self._source: bytes | None = None
        self._stats: Mapping[str, Any] | None = None

    def get_code(self, fullname: str) -> types.CodeType | None:
        """Choose the bytes, once, and compile just these."""
        found = self._read()
        kind = "package" if self.is_package(fullname) else "module"
        self._source = self._code.choose(fullname, kind, self.path, found)
        if self._source is not found:
            self._stats = None
        return super().get_code(fullname)

    def get_source(self, fullname: str) -> str | None:
        """Return the text that is run, or would be."""
        if self._source is None:
            self._source = self._code.look(fullname, self._read())
        return super().get_source(fullname)

    def _read(self) -> bytes | None:
        """Read the file; its time and size are taken before, so that the cache is never newer."""
        try:
            self._stats = super().path_stats(self.path)
            return super().get_data(self.path)
        except OSError:
            self._stats = None
            return None

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Tell the file's time and size; of bytes from elsewhere there are none."""
        if self._stats is None:
            raise OSError("not from this file")
        return self._stats

    def get_data(self, path: str) -> bytes:
        """Return the chosen bytes for the module's own path, else a file's."""
        if self._source is not None and path == self.path:
            return self._source
        return super().get_data(path)


class OwnFinder:
    """The finder for ``sys.meta_path``."""

    def __init__(self, code: OwnCode) -> None:
        self._code = code

    def install(self) -> None:
        """Be asked first."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """Find a module as the others do, and see to the user's own."""
        found = self._ask_others(name, path, target)
        recorded = self._code.recorded(name)
        if recorded is not None:
            return self._recorded(name, recorded, found)
        if found is not None:
            self._look(name, found)
        return found

    def _ask_others(self, name: str, path: Sequence[str] | None, target: Any) -> ModuleSpec | None:
        finders = list(sys.meta_path)
        if self in finders:
            del finders[: finders.index(self) + 1]
        for finder in finders:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _look(self, name: str, found: ModuleSpec) -> None:
        """Load through us what is the user's own."""
        if _is_source(found):
            assert found.origin is not None
            if is_own_place(name, os.path.dirname(found.origin)):
                found.loader = OwnLoader(name, found.origin, self._code)
        elif found.origin is None and found.submodule_search_locations is not None:
            places = list(found.submodule_search_locations)
            if places and is_own_place(name, places[0]):
                self._code.namespace(name, places[0])

    def _recorded(
        self, name: str, recorded: SourceRef, found: ModuleSpec | None
    ) -> ModuleSpec | None:
        """Find what is recorded: beside the file where there is one, else where the root had it."""
        package = recorded.kind != "module"
        if recorded.kind == "namespace":
            if found is not None:
                return found
            made = ModuleSpec(name, None, is_package=True)
            made.submodule_search_locations = [recorded.path]
            return made
        if (
            found is not None
            and _is_source(found)
            and (found.submodule_search_locations is not None) == package
        ):
            assert found.origin is not None
            found.loader = OwnLoader(name, found.origin, self._code)
            return found
        return spec_from_file_location(
            name,
            recorded.path,
            loader=OwnLoader(name, recorded.path, self._code),
            submodule_search_locations=[os.path.dirname(recorded.path)] if package else None,
        )


def _is_source(spec: ModuleSpec) -> bool:
    return type(spec.loader) is SourceFileLoader and isinstance(spec.origin, str)
