"""On SCOOP, by ``python -m scoop -n 2``: its root is one of the two workers."""

from ledgered import answer, calls, square
from scoop import futures

if __name__ == "__main__":
    answer(futures.map(square, calls()))
