"""What the launcher's loop asks of whatever has workers: this host, or those behind ssh."""

from __future__ import annotations

from typing import Protocol

from .processes import Child, Exited


class Place(Protocol):
    """Where workers live: `launch.host.Host` here, `launch.hosts.fleet.Fleet` elsewhere.

    Each starts its own children; the loop hands back to it what it sees of them.
    """

    def tick(self) -> None:
        """Do what is due."""

    def wait_s(self) -> float:
        """Return for how long `tick` has nothing to do."""

    def output(self, child: Child, stream: str, data: bytes) -> None:
        """Take in what a child printed."""

    def exited(self, change: Exited) -> None:
        """Take in that a child has ended."""

    def leave(self) -> None:
        """Start nothing any more, and tell what lives to end."""
