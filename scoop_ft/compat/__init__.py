"""What ``import scoop`` gives in a run that was started with ``--scoop``: SCOOP's own names.

`standing_in` puts this package where ``scoop`` is looked for, and sets its constants.  Here are
names only; what they do is in `futures`, `shared` and `types`.  Nothing of SCOOP is needed or used.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from . import futures, shared

__all__ = ["futures", "logger", "shared"]

__version__ = "0.7"  # of the SCOOP whose names these are
__revision__ = "2.0"


class BrokerInfo(NamedTuple):
    """Where the broker is.  Its ports are 0: processes of one machine need none."""

    hostname: str
    task_port: int
    info_port: int
    externalHostname: str


IS_RUNNING = False
IS_ORIGIN = False
SIZE = 1
DEBUG = False
MAIN_MODULE: str | None = None
WORKING_DIRECTORY = ""
BROKER: BrokerInfo | None = None
CONFIGURATION: dict[str, object] = {}
SHUTDOWN_REQUESTED = False
worker = b""
logger = logging.getLogger("SCOOPLogger")
