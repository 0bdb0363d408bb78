"""Tells the broker the versions of the run: the Python at once, the packages a little later.

They are looked for in a thread of its own, once the script has run for a while: a short script
never pays for it.  What it imports later is noticed later.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec

from .. import environment
from ..client.sources import Sources
from ..ids import digest
from ..wire.messages import Environment, SourceRef

FIRST_S = 2.0
AGAIN_S = 5.0


class Versions:
    """What the script has imported, watched.

    Parameters
    ----------
    sources : Sources
        What tells the broker.
    before : iterable of str
        Modules that were imported before any of the user's code.
    """

    def __init__(self, sources: Sources, before: Iterable[str] = ()) -> None:
        self._sources = sources
        self._before = frozenset(before)
        self._own: set[str] = set()
        self._told: tuple[frozenset[str], frozenset[str]] | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Say which Python this is, and begin to watch."""
        self._say(environment.bare())
        threading.Thread(target=self._watch, name="scoop-ft-versions", daemon=True).start()

    def end(self) -> None:
        """Watch no longer: this process is the root of that run no more, and may live for weeks."""
        self._over.set()

    def _watch(self) -> None:
        patience_s = FIRST_S
        while not self._over.wait(patience_s):
            self.look()
            patience_s = AGAIN_S

    def look(self) -> None:
        """Tell the versions if there is more than was told."""
        used = environment.installed_in_use(self._before)
        named = frozenset(self._sources.named)
        if (used, named) != self._told:
            self._told = used, named
            self._own = self._own or environment.own_packages()
            found = environment.of_modules(used, self._own)
            found.named = environment.installed(named, self._own)
            self._say(found)

    def _say(self, found: Environment) -> None:
        data = msgspec.msgpack.encode(found)
        ref = SourceRef(environment.NAME, environment.NAME, "", digest(data))
        self._sources.say(ref, data)
