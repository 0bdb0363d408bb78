"""All that a journal stores, page by page full: how large that is, and making it.

Where records have left between others the engine keeps pages that are half empty; in a new
environment, filled in the order of its keys, there are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .store import Store

if TYPE_CHECKING:
    Items = Iterator[tuple[memoryview, memoryview]]

_FIXED_PAGES: Final = 6  # two heads, the tables' roots, that of the tree of tables
_PAGE_HEAD_BYTES: Final = 16
_NODE_BYTES: Final = 10  # of a value, beside its key and bytes
_BRANCH_SHARE: Final = 0.02
_LOAD_BYTES: Final = 64 << 20  # stored in one transaction


def needed_bytes(store: Store) -> int:
    """Estimate the size of a file that holds the same with each page full."""
    page = store.page_bytes
    small = large = 0
    with store.snapshot() as snapshot:
        for table in store.tables:
            for key, value in snapshot.raw(table):
                node = _NODE_BYTES + len(key) + len(value)
                if node > page // 2:  # its value has pages of its own
                    large += -(-(len(value) + _PAGE_HEAD_BYTES) // page) * page
                    node = _NODE_BYTES + len(key)
                small += node
    tree = small * (1 + _BRANCH_SHARE) * page / (page - _PAGE_HEAD_BYTES)
    return large + int(tree) + _FIXED_PAGES * page


def repack(store: Store, folder: Path) -> None:
    """Write all that is stored into a new environment in an empty folder, each page full."""
    target = Store(folder, map_size=store.map_size, write=True, create=True)
    try:
        with store.snapshot() as snapshot:
            for mine, other in zip(store.tables, target.tables, strict=True):
                items = snapshot.raw(mine)
                for first in items:
                    target.load(other, _some(chain([first], items)))
    finally:
        target.close()


def _some(items: Items) -> Items:
    """Yield items until they are enough for one transaction; the rest stays."""
    size = 0
    for key, value in items:
        yield key, value
        size += len(value)
        if size >= _LOAD_BYTES:
            return
