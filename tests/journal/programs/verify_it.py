"""Verify a journal from another process; the exit code tells.  Argument: its folder."""

from __future__ import annotations

import sys

from scoop_journal import verify

sys.exit(0 if verify(sys.argv[1]).ok else 1)
