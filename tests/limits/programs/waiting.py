"""Waits for one long task and prints nothing else."""

import sys
import time

from scoop_ft import futures

if __name__ == "__main__":
    futures.submit(time.sleep, float(sys.argv[1])).result()
