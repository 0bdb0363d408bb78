"""What this machine can do for a campaign, found out by doing it; the rest is named.

Also the campaign's folder, and what its trials share: the janitor, the network, memory limits.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

from ..faults import Fault
from .disk import SmallDisk
from .janitor import Janitor
from .memory import MemoryLimits
from .network import Network

NETWORK: Final = (Fault.NET_CUT, Fault.NET_ONE_WAY, Fault.AGENT_KILL)


class Stage:
    """Everything around the trials.  Use as a context.

    Parameters
    ----------
    parent : Path, optional
        Where to make the campaign's folder; else among the temporary ones.

    Attributes
    ----------
    folder : Path
        The campaign's; ``keep`` says whether it stays.
    missing : dict of Fault to str
        The faults that cannot be done here, and why.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self.keep = False
        self.missing: dict[Fault, str] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="scoop-chaos-", dir=parent))
        self.janitor = Janitor()
        self.janitor.remember("processes", str(self.folder))
        self.network: Network | None = None
        self.memory: MemoryLimits | None = None
        try:
            self._find_out()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _find_out(self) -> None:
        try:
            self.network = Network(self.janitor)
        except OSError as error:
            self.missing.update(dict.fromkeys(NETWORK, f"no second host: {_one_line(error)}"))
        try:
            self.memory = MemoryLimits(self.janitor)
        except OSError as error:
            self.missing[Fault.WORKER_MEMORY] = _one_line(error)
        try:
            SmallDisk(self.janitor, self.folder / "probe", 1).unmount()
        except OSError as error:
            self.missing[Fault.DISK_FULL] = f"no small file system: {_one_line(error)}"

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The last said is the first removed: what is on it must go before the folder does.
        self.janitor.finish()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split())
