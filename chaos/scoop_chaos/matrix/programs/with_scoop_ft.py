"""On scoop-ft, by ``scoop-ft run -n 2``."""

from ledgered import answer, calls, square

from scoop_ft import futures

if __name__ == "__main__":
    answer(futures.map(square, calls()))
