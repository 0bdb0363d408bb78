"""The benchmark on SCOOP, by ``python -m scoop -n 2``: its root is one of the two workers."""

from measure import arguments, measure
from scoop import futures


def fib(number: int) -> int:
    if number < 2:
        return number
    children = [futures.submit(fib, number - 1), futures.submit(fib, number - 2)]
    return sum(child.result() for child in children)


if __name__ == "__main__":
    measure(arguments(), futures.map, futures.submit, fib)
