"""The benchmark on scoop-ft: started by ``scoop-ft run -n 2``."""

from measure import arguments, measure

from scoop_ft import futures


def fib(number: int) -> int:
    if number < 2:
        return number
    children = [futures.submit(fib, number - 1), futures.submit(fib, number - 2)]
    return sum(child.result() for child in children)


if __name__ == "__main__":
    measure(arguments(), futures.map, futures.submit, fib)
