"""On loky: the executor lives in the program's own process."""

from ledgered import answer, calls, square
from loky import get_reusable_executor

if __name__ == "__main__":
    answer(get_reusable_executor(max_workers=2).map(square, calls()))
