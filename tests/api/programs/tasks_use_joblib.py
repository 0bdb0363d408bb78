"""Tasks share their work among processes of joblib's own, which know no worker's modules."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import joblib

from scoop_ft import futures

offset = [7]


class Point:
    def __init__(self, x):
        self.x = x


def square(x):
    return x * x


def point(x):
    return Point(square(x) + offset[0])


def asks_joblib(i):
    points = joblib.Parallel(n_jobs=2)(joblib.delayed(point)(x) for x in range(3))
    assert all(type(each) is Point for each in points)
    return points[i]


def asks_a_pool(i):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(square, range(3)))[i]


if __name__ == "__main__":
    points = list(futures.map(asks_joblib, range(3)))
    assert all(type(each) is Point for each in points)
    assert [each.x for each in points] == [7, 8, 11]
    assert list(futures.map(asks_a_pool, range(3))) == [0, 1, 4]
    print("ok")
