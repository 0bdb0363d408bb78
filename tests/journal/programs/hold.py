"""Own a journal, say so, and hold it until the standard input ends.  Argument: its folder."""

from __future__ import annotations

import os
import sys

from scoop_journal import Journal

journal = Journal.open(sys.argv[1])
print(os.getpid(), flush=True)
sys.stdin.read()
