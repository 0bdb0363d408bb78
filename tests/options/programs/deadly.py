"""Tasks that kill their workers, each allowed to do so another number of times."""

from __future__ import annotations

import os
import signal

from noting import note

from scoop_ft import futures, options
from scoop_ft.errors import TaskLost


def deadly(name: str) -> None:
    note(name)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for name, attempts in (("default", None), ("one", 1), ("three", 3)):
        try:
            futures.submit(options(deadly, attempts=attempts), name).result()
        except TaskLost as error:
            print(name, error.details["attempts"])
