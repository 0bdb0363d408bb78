"""Which machines have workers, for the log: it tells in the morning which one went, and when.

Looks at all workers, so it is to be asked now and then only.  Reads a broker's peers, changes
nothing in them; writes nothing itself.
"""

from __future__ import annotations

from typing import Final

from .peers import Peers

LOOK_S: Final = 1.0  # between two looks,
LOOK_WORKERS: Final = 1_000  # or so many times as long as there are so many workers
UNHEARD: Final = "are stopped, or it is switched off or cut off: what they had is run elsewhere"


class Attendance:
    """Remembers which machines had workers."""

    def __init__(self) -> None:
        self._there: set[str] = set()

    def look(self, peers: Peers) -> list[str]:
        """Return what is new, a line for each machine that has come or gone."""
        up: set[str] = set()
        unheard: set[str] = set()
        for peer in peers.workers.values():
            works = peer.connected and (peer.leaving or not peer.suspended)
            (up if works else unheard).add(peer.host)
        # A worker's process that another replaces is no news: its agent is there.
        agents = {peer.host for peer in peers.agents.values() if peer.connected}
        gone = sorted(self._there - up - (agents - unheard))
        lines = [f"{h}: its workers {UNHEARD if h in unheard else 'have left'}" for h in gone]
        lines += [f"{host}: it has workers" for host in sorted(up - self._there)]
        self._there = up | (self._there - set(gone))
        return lines
