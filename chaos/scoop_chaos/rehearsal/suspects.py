"""What in a script's source may come out differently each time it runs: names and lines.

A hint for people, by reading the source; nothing is decided by it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

MODULES = {"secrets", "uuid", "tempfile"}
CALLS = {
    "time.time", "time.time_ns", "time.perf_counter", "time.perf_counter_ns", "time.monotonic",
    "time.monotonic_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today", "os.urandom", "os.getpid", "os.listdir", "os.scandir", "glob.glob",
    "random.SystemRandom", "socket.gethostname",
}  # fmt: skip
UNSEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"}
FROM_SYSTEM = {"numpy.random"}  # its functions draw from one generator that nobody has seeded
SEEDED_HERE = {"numpy.random.seed", "numpy.random.default_rng", "numpy.random.RandomState",
               "numpy.random.Generator", "numpy.random.SeedSequence"}  # fmt: skip
ORDER = {"scoop_ft.futures.wait", "scoop_ft.futures.as_completed",
         "scoop_ft.futures.map_as_completed"}  # fmt: skip
IN_TASKS = {"random"}  # seeded for the script's own process, not for tasks


def suspects(path: Path, *, tasks: bool = False) -> list[tuple[str, int]]:
    """Return names that a script calls, each with the line of its first call.

    Parameters
    ----------
    path : Path
        The script.
    tasks : bool, optional
        What matters for results, too: `random` is seeded for the script itself only.
    """
    return _calls(path, lambda called, seeded: _is_suspect(called, seeded, tasks))


def _calls(path: Path, wanted: Callable[[str, bool], bool]) -> list[tuple[str, int]]:
    """Return the calls that are wanted by their name and whether they have arguments."""
    tree = ast.parse(path.read_bytes())
    names = _imported(tree)
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = _dotted(node.func, names)
            if wanted(called, bool(node.args or node.keywords)):
                found[called] = min(node.lineno, found.get(called, node.lineno))
    return sorted(found.items(), key=lambda item: item[1])


def _is_suspect(called: str, has_arguments: bool, tasks: bool) -> bool:
    module = called.rpartition(".")[0]
    if called in UNSEEDED:
        return not has_arguments
    return (
        called in CALLS
        or module in MODULES
        or (module in FROM_SYSTEM and called not in SEEDED_HERE)
        or (tasks and module in IN_TASKS and called != "random.seed")
    )


def taken_as_they_come(path: Path) -> list[tuple[str, int]]:
    """Return where a script takes results in the order of completion, with lines."""
    return _calls(path, lambda called, _: called in ORDER)


def _imported(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for."""
    return dict(_bindings(tree))


def _bindings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield alias.asname or top, alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return the full name of what is called; empty when it is not a name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""
