"""Mistakes with what travels as columns: numbers, many to a message, there and back."""

from __future__ import annotations

from .mutant import Mutant

_TRAY = "scoop_ft.worker.tray:Tray"

NUMBERS = (
    Mutant(
        "results-of-the-first",
        "What is taken from a tray for the second time are the numbers that lay there first.",
        f"{_TRAY}.take",
        "self.numbers[begin:stop]",
        "self.numbers[: stop - begin]",
    ),
    Mutant(
        "numbers-are-not-counted",
        "What lies in a tray behind numbers is taken as if there were none.",
        f"{_TRAY}.take",
        "self.packer.since(max(begin - numbers, 0), max(stop - numbers, 0))",
        "self.packer.since(begin, stop)",
    ),
)

# Maps this long rarely begin in the midst of a span, or of a message.
RARE = (
    Mutant(
        "arguments-of-the-first",
        "A later piece of a span is given the numbers that the span's first tasks are called with.",
        "scoop_ft.worker.spans:Span.numbers",
        "at, end = start - self.start, stop - self.start",
        "at, end = 0, stop - start",
    ),
    Mutant(
        "stretches-from-the-first",
        "A map takes results that lie together from the first of their message on.",
        "scoop_ft.client.taking:_stretch",
        "ends = chunk.ends[position : position + count]",
        "ends = chunk.ends[:count]",
    ),
)
