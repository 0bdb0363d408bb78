"""Tasks whose results can be found in the journal's bytes; then the script fails."""

import sys

from scoop_ft import futures


def tell(number: int) -> str:
    return f"the result of {number};"


if __name__ == "__main__":
    print(*futures.map(tell, range(int(sys.argv[1]))))
    sys.exit(1)
