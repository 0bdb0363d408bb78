"""A script that works as a script and cannot be imported, which is what workers do."""

from __future__ import annotations

from scoop_ft import futures

if __name__ != "__main__":
    raise RuntimeError("nobody imports me")


def square(n: int) -> int:
    return n * n


if __name__ == "__main__":
    print(sum(futures.map(square, range(10))))
