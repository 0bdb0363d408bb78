"""The task that every system gets: it sleeps, and says in a ledger what it did, when and where.

A line of the ledger is ``word number monotonic-time pid``, appended by one system call, so that
lines of several processes do not mix.  Imported by the programs beside it and by their workers;
it imports nothing of any system.
"""

import os
import sys
import time


def note(ledger: str, word: str, number: int) -> None:
    """Append one line to the ledger."""
    line = f"{word} {number} {time.monotonic():.6f} {os.getpid()}\n"
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def square(call: tuple[int, float, str]) -> int:
    """Take some time for a number, and return its square."""
    number, seconds, ledger = call
    note(ledger, "start", number)
    time.sleep(seconds)
    note(ledger, "end", number)
    return number * number


def calls() -> list[tuple[int, float, str]]:
    """Return the arguments of all tasks; note which process runs the program.

    The command line says how many tasks, how long each takes (seconds, with commas; the last for
    all that follow), and where the ledger is.
    """
    tasks, ledger = int(sys.argv[1]), sys.argv[3]
    seconds = [float(text) for text in sys.argv[2].split(",")]
    note(ledger, "root", 0)
    return [(number, seconds[min(number, len(seconds) - 1)], ledger) for number in range(tasks)]


def answer(squares) -> None:  # type: ignore[no-untyped-def]
    """Print what the program was to find out."""
    print(f"answer {sum(squares)}", flush=True)
