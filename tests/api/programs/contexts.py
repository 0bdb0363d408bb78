"""What the script sets in context variables as it is imported holds for each task."""

import contextvars
import decimal

from scoop_ft import futures

decimal.getcontext().prec = 50
unit = contextvars.ContextVar("unit", default="m")
unit.set("mm")


def digits(prec=None):
    if prec is not None:
        decimal.getcontext().prec = prec  # and does not put it back
    return len(str(decimal.Decimal(1) / 3)) - 2, unit.get()


def below(depth):
    if depth == 0:
        return [digits()]
    return [*futures.submit(below, depth - 1).result(), digits()]


def sets(prec):
    decimal.getcontext().prec = prec
    unit.set(str(prec))
    found = [futures.submit(digits, 5).result() for _ in range(3)]
    return found, digits()


if __name__ == "__main__":
    assert set(futures.submit(below, 4).result()) == {(50, "mm")}
    for prec, (found, after) in enumerate(futures.map(sets, range(60, 70)), 60):
        assert [number for number, _ in found] == [5] * 3
        assert after == (prec, str(prec)), after
    print("ok")
