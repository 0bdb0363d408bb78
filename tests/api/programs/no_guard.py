"""Has forgotten its main guard."""

from scoop_ft import futures


def double(k: int) -> int:
    return 2 * k


print(list(futures.map(double, range(3))))
