"""A script that fails by itself."""

from scoop_ft import futures


def reciprocal(x: int) -> float:
    return 1 / x


if __name__ == "__main__":
    print(list(futures.map(reciprocal, range(5))))
