"""What the documentation says is so: its examples run, the files it names exist."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import zmq
from scoop_chaos.runs import COMMAND

from scoop_ft import checkpoint, errors, futures, optioned, randomness, shared
from scoop_ft.broker.__main__ import _settings
from scoop_ft.rundir import RunDir, RunInfo
from scoop_ft.wire import probes

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PACKAGES = ("scoop_ft", "journal/scoop_journal", "chaos/scoop_chaos")
LIMIT_S = 60.0

_BLOCK = re.compile(r"<!-- runnable: (\S+) -->\n```(\w+)\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"`((?:scoop_ft|journal/scoop_journal|chaos/scoop_chaos)/[\w/]+\.py)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")

PAGES = (  # with examples
    "README.md",
    "docs/guide.md",
    "docs/random-numbers.md",
    "docs/checkpoints.md",
    "docs/journal-tools.md",
    "docs/edited-code.md",
    "docs/replay.md",
    "docs/scoop.md",
    "docs/mapping.md",
    "docs/options.md",
    "docs/executor.md",
    "docs/adapters.md",
    "docs/coming-from.md",
)
EXPECTED = {
    "native.py": ["792"],
    "executor.py": ["49", "285", "[0, 1, 4, 9]"],
    "again.py": ["200.0", "200.0"],
    "launched.py": ["9 285"],
    "loop.py": ["[0, 1, 4, 9, 16]"],
    "pool.py": ["[1, 2, 3]", "[2, 12]", "[1, 2, 3]", "30"],
    "bar.py": ["328350"],
    "constant.py": ["[6.0, 7.0, 8.0, 9.0]"],
    "edited.py": ["144"],
    "endless.py": ["[1000003, 1000033, 1000037]"],
    "forever.py": ["{'done': 2000, 'sum': 5995}"],
    "collect.py": ["0 failed: division by zero", "1 is 1.0", "2 is 0.5"],
    "long.py": ["[1.0, 1.0]"],
    "generations.py": ["0"],
    "toolshop.py": ["1.5", "[22.5, 2475.0]"],
    "walks.py": ["True True"],
    "options.py": ["[1, 4, 16]", "2 3"],
    "order.py": ["4"],
    "large.py": ["332833500"],
    "squares.py": ["332833500"],
    "first.py": ["sixes: "],
    "more.py": ["60", "[30, 80]", "[10, 20]", "True", "49500", "32"],
}


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the runnable blocks of a page: name (or ``shell``) and text."""
    return [(name, text) for name, _, text in _BLOCK.findall((REPOSITORY / page).read_text())]


def scripts() -> list[tuple[str, str]]:
    return [b for page in PAGES for b in blocks(page) if b[0] != "shell"]


@pytest.mark.parametrize(("name", "text"), scripts(), ids=[name for name, _ in scripts()])
def test_python_examples_run(name: str, text: str, tmp_path: Path, nothing_left: None) -> None:
    (tmp_path / name).write_text(text)
    serial = subprocess.run(
        [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    done = subprocess.run(
        [*COMMAND, "run", "-q", "-n", "2", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == serial.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == len(EXPECTED[name])
    assert all(line.startswith(start) for line, start in zip(lines, EXPECTED[name], strict=True))


def test_shell_examples_run(tmp_path: Path, nothing_left: None) -> None:
    """Those marked, in order, in a folder that has the page's scripts."""
    found = blocks("docs/guide.md")
    for name, text in found:
        if name != "shell":
            (tmp_path / name).write_text(text)
    commands = [line for name, text in found if name == "shell" for line in text.splitlines()]
    assert commands
    for line in commands:
        program, *words = line.split()
        assert program == "scoop-ft"
        done = subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S
        )
        assert done.returncode == 0, done.stderr


def test_architecture_names_each_module_and_no_other() -> None:
    named = set(_FILE.findall((DOCS / "architecture.md").read_text()))
    found = {
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert named - found == set(), "named, but not there"
    assert found - named == set(), "there, but not named"


def test_what_the_guide_says_of_waiting_is_what_the_product_says() -> None:
    table = (DOCS / "guide.md").read_text().partition("| you read |")[2].partition("\n\n")[0]
    said = [text for text in re.findall(r"`waiting: ([^`]+)`", table) if "=" not in text]
    assert len(said) > 5
    source = "".join(path.read_text() for path in (REPOSITORY / "scoop_ft").rglob("*.py"))
    assert [text for text in said if f'"{text}"' not in source] == []


def test_the_guide_names_the_exceptions_that_users_meet() -> None:
    table = (DOCS / "guide.md").read_text().partition("| you read |")[2].partition("\n\n")[0]
    met = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ScoopError)
    }
    told_by_their_text = {"ScoopError", "MissingMainGuard", "RunError"}
    not_for_users = {"ProtocolError", "InvalidTransition"}
    named = set(re.findall(r"\w+", table))
    assert met - named - told_by_their_text - not_for_users == set()


def test_the_libraries_that_come_with_adapters_are_those_that_their_page_names() -> None:
    (extra,) = re.findall(
        r"^adapters = \[(.*)\]$", (REPOSITORY / "pyproject.toml").read_text(), re.M
    )
    installed = re.findall(r'"([\w-]+)', extra)
    page = " ".join((DOCS / "adapters.md").read_text().split())
    assert f"installs {', '.join(installed[:-1])} and {installed[-1]};" in page


def layers() -> dict[str, int]:
    """Return how high each name of the page's table stands, the lowest first."""
    table = (DOCS / "architecture.md").read_text().partition("| layer |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    return {name: height for height, names in enumerate(reversed(rows)) for name in names}


def imported(path: Path) -> set[str]:
    """Return what is imported from our package, as the first names below it."""
    below = path.relative_to(REPOSITORY / "scoop_ft").parts[:-1]
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [*below[: len(below) - node.level + 1], *filter(None, [node.module])]
            found |= {names[0].split(".")[0]} if names else {name.name for name in node.names}
    return found


def test_no_file_imports_what_stands_above_its_layer() -> None:
    height = layers()
    assert {"executor", "launch", "inspect", "worker", "broker", "wire"} <= set(height)
    wrong = [
        (str(path), name)
        for path in (REPOSITORY / "scoop_ft").rglob("*.py")
        for own in [path.relative_to(REPOSITORY / "scoop_ft").with_suffix("").parts[0]]
        for name in imported(path)
        if own in height and height.get(name, -1) > height[own]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))]
)
def test_links_lead_somewhere(page: str) -> None:
    path = REPOSITORY / page
    links = _LINK.findall(path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_protocol_page_says_what_a_welcome_tells_and_how_connections_are_watched(
    tmp_path: Path,
) -> None:
    page = " ".join((DOCS / "protocol.md").read_text().split())
    info = RunInfo(
        run="a-run", script="study.py", args=[], cwd=str(tmp_path), seed=1, workers=1, python="",
        created=1.0, max_attempts=3, path=str(tmp_path),
    )  # fmt: skip
    row = re.search(r"\| settings \| map \| (.*?) \|", page)
    assert row is not None
    told = set(re.findall(r"\w+", row[1]))
    assert set(_settings(RunDir(tmp_path), info)) - told == set()
    watched = dict(probes.PROBES)
    assert f"after {watched[zmq.TCP_KEEPALIVE_IDLE]} s without a word" in page
    assert f"closed after {probes.LOST_MS // 1_000} s without an answer" in page
    assert zmq.HEARTBEAT_IVL not in watched


@pytest.mark.parametrize("module", [checkpoint, futures, optioned, randomness, shared])
def test_doctests(module: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that it runs serially
        result = doctest.testmod(module, verbose=False)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


def test_ci_runs_the_readmes_own_command() -> None:
    """Whoever follows the README does what CI does."""
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    done = subprocess.run([script, "--say"], capture_output=True, text=True, check=True)
    readme = (REPOSITORY / "README.md").read_text()
    command = re.search(r"<!-- command: tests -->\n```sh\n(.+)\n```", readme)
    assert command is not None
    assert done.stdout.strip() == command.group(1)
