"""Asks for numbers while it is imported."""

from __future__ import annotations

import scoop_ft
from scoop_ft import futures

RNG = scoop_ft.rng()


def draw(_: int) -> float:
    return RNG.random()


if __name__ == "__main__":
    print(list(futures.map(draw, range(3))))
