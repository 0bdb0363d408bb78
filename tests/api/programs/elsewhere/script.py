"""A script with a module of its own beside it, arguments, input and files."""

from __future__ import annotations

import os
import sys

import beside

from scoop_ft import futures


def seen() -> tuple[str, list[str], str, str]:
    return os.path.abspath(__file__), sys.argv, os.getcwd(), sys.path[0]


def first_line(path: str) -> str:
    with open(path) as file:
        return file.readline()


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    assert seen() == futures.submit(seen).result(), (seen(), futures.submit(seen).result())
    assert sys.argv[1:] == ["--flag", "-n", "two words", ""]
    assert sys.argv[0].endswith("script.py")
    assert sys.path[0] == here
    assert os.getcwd() != here
    assert list(futures.map(beside.scaled, range(3))) == [0, 10, 20]
    assert futures.submit(beside.Point, 1, 2).result() == beside.Point(1, 2)
    assert list(futures.map(abs, beside.numbers())) == [1, 2]
    assert input("name? ") == "Ada"
    assert sys.stdin.read() == "more\n"
    with open("relative.txt", "w") as file:
        file.write("from the script\n")
    assert futures.submit(first_line, "relative.txt").result() == "from the script\n"
    print("ok")
