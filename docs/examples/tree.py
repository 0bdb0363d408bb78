"""Count the solutions of the n-queens puzzle by a tree of tasks: tasks that submit tasks.

Shows `futures.map` inside a task.  A task that waits for its children holds no worker: the worker
runs something else meanwhile, so the tree may be deeper than there are workers.

    scoop-ft run docs/examples/tree.py
    scoop-ft run docs/examples/tree.py --queens 14 --depth 4
"""

import argparse

from scoop_ft import futures

Queens = tuple[int, ...]  # the column of the queen in each row so far


def is_free(queens: Queens, column: int) -> bool:
    """Tell whether a queen in the next row would be safe in a column."""
    row = len(queens)
    return all(column != c and abs(column - c) != row - r for r, c in enumerate(queens))


def children(queens: Queens, size: int) -> list[Queens]:
    return [(*queens, column) for column in range(size) if is_free(queens, column)]


def count_here(queens: Queens, size: int) -> int:
    """Count the ways to place the queens that are missing, in this task."""
    if len(queens) == size:
        return 1
    return sum(count_here(child, size) for child in children(queens, size))


def count(queens: Queens, size: int, depth: int) -> int:
    """Count them by further tasks while the board is emptier than `depth` rows."""
    if len(queens) >= depth:
        return count_here(queens, size)
    below = children(queens, size)
    return sum(futures.map(count, below, [size] * len(below), [depth] * len(below)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the solutions of the n-queens puzzle.")
    parser.add_argument("--queens", type=int, default=12)
    parser.add_argument("--depth", type=int, default=3, help="levels of the tree that are tasks")
    args = parser.parse_args()

    solutions = futures.submit(count, (), args.queens, args.depth).result()
    print(f"{args.queens} queens: {solutions:,} solutions")


if __name__ == "__main__":
    main()
