"""Arrays that no message can hold: refused where they are sent, and the run goes on."""

import functools

import numpy as np

from scoop_ft import checkpoint, errors, futures

SIZE = 1 << 32  # zeros that nobody touches: they take no memory


def size_of(array):
    return array.nbytes


def large(size):
    return {"state": [np.zeros(size, np.uint8)]}


def refused(call, *args):
    try:
        call(*args)
    except errors.UnpicklableError as error:
        return str(error)
    raise AssertionError(f"{call} took it")


if __name__ == "__main__":
    array = np.zeros(SIZE, np.uint8)
    words = "is a numpy.ndarray of nearly 4 GiB or more; send it in parts"
    assert (
        f"argument 1 of too_large.size_of cannot be sent to another process: args[0] {words}"
        in refused(futures.submit, size_of, array)
    )
    assert f"it['state'][0] {words}" in refused(futures.submit(large, SIZE).result)
    assert words in refused(functools.partial(checkpoint.save, every=0), array)
    assert futures.submit(size_of, array[:100]).result() == 100
    print("ok")
