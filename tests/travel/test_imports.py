"""The finder: what is on the disk, what is recorded, and which of the two is run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import marshal
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoop_ft.client.imports import OwnFinder, OwnLoader
from scoop_ft.client.sources import _show_in_tracebacks
from scoop_ft.ids import digest
from scoop_ft.wire.messages import SourceRef


class Run:
    """What a run has recorded, and what it hears."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.refs: dict[str, SourceRef] = {}
        self.heard: list[tuple[str, str]] = []
        self.fetched: list[str] = []

    def has(self, name: str, kind: str, path: Path | str, text: str) -> None:
        data = text.encode()
        self.bytes[name] = data
        self.refs[name] = SourceRef(name, kind, str(path), digest(data))

    def recorded(self, name: str) -> SourceRef | None:
        return self.refs.get(name)

    def choose(self, name: str, kind: str, path: str, found: bytes | None) -> bytes:
        recorded = self.refs.get(name)
        if found is not None and (recorded is None or recorded.digest == digest(found)):
            self.heard.append((name, kind))
            return found
        self.fetched.append(name)
        data = self.bytes[name]
        _show_in_tracebacks(path, data)
        return data

    def look(self, name: str, found: bytes | None) -> bytes | None:
        return self.bytes.get(name, found)

    def namespace(self, name: str, path: str) -> None:
        self.heard.append((name, "namespace"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A finder at work in this process, with one folder of modules."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    known, places, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    one = Run()
    sys.path.insert(0, str(tmp_path))
    OwnFinder(one).install()
    importlib.invalidate_caches()
    yield one
    sys.path[:], sys.meta_path[:] = places, finders
    for name in set(sys.modules) - set(known):
        del sys.modules[name]


def test_what_is_imported_from_files_is_heard_of(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ft_pack").mkdir()
    (tmp_path / "ft_pack" / "__init__.py").write_text("a = 1")
    (tmp_path / "ft_pack" / "inner.py").write_text("b = 2")
    (tmp_path / "ft_space").mkdir()
    (tmp_path / "ft_space" / "part.py").write_text("c = 3")
    assert importlib.import_module("ft_pack.inner").b == 2
    assert importlib.import_module("ft_space.part").c == 3
    assert run.heard == [
        ("ft_pack", "package"), ("ft_pack.inner", "module"),
        ("ft_space", "namespace"), ("ft_space.part", "module"),
    ]  # fmt: skip


def test_python_and_packages_go_their_usual_way(run: Run) -> None:
    for name in ("colorsys", "this_module_is_nowhere", "wave"):
        sys.modules.pop(name, None)
        if importlib.util.find_spec(name) is not None:
            assert not isinstance(importlib.import_module(name).__loader__, OwnLoader)
    assert run.heard == []


def test_only_looking_is_not_importing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ft_looked.py").write_text("raise AssertionError")
    assert importlib.util.find_spec("ft_looked") is not None
    assert run.heard == []


def test_an_unchanged_file_is_run_from_pythons_cache(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ft_cached.py"
    file.write_text("x = 1")
    module = importlib.import_module("ft_cached")
    cache = Path(module.__cached__)
    assert cache.exists()
    # A cache that says something else, and bears the file's time and size, is believed.
    other = compile("x = 'cached'", str(file), "exec")
    cache.write_bytes(cache.read_bytes()[:16] + marshal.dumps(other))
    del sys.modules["ft_cached"]
    assert importlib.import_module("ft_cached").x == "cached"


def test_a_changed_file_is_not_run_and_its_cache_is_left_alone(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ft_edited.py"
    file.write_text("x = 'edited'")
    run.has("ft_edited", "module", "/elsewhere/ft_edited.py", "x = 'recorded'")
    module = importlib.import_module("ft_edited")
    assert module.x == "recorded"
    assert module.__file__ == str(file)
    assert not Path(module.__cached__).exists()
    assert run.fetched == ["ft_edited"]


def test_a_missing_module_comes_with_the_path_that_it_had(run: Run) -> None:
    where = "/no/such/place/ft_missing.py"
    run.has("ft_missing", "module", where, "def f():\n    raise ValueError('here')\n")
    module = importlib.import_module("ft_missing")
    assert module.__file__ == where
    assert inspect.getsource(module.f) == "def f():\n    raise ValueError('here')\n"
    with pytest.raises(ValueError, match="here") as caught:
        module.f()
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{where}", line 2, in f\n    raise ValueError' in text


def test_a_missing_package_with_all_that_is_in_it(run: Run) -> None:
    run.has("ft_gone", "package", "/no/ft_gone/__init__.py", "from .sub import mod\ny = mod.x")
    run.has("ft_gone.sub", "namespace", "/no/ft_gone/sub", "")
    run.has("ft_gone.sub.mod", "module", "/no/ft_gone/sub/mod.py", "x = 5")
    assert importlib.import_module("ft_gone").y == 5
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("ft_gone.sub.never_recorded")


def test_what_is_recorded_comes_before_what_is_installed_under_its_name(run: Run) -> None:
    run.has("wave", "module", "/home/user/wave.py", "x = 'the user has a wave.py'")
    sys.modules.pop("wave", None)
    assert importlib.import_module("wave").x == "the user has a wave.py"
    assert "wave" in run.fetched


def test_a_file_edited_while_it_is_imported_leaves_no_wrong_cache(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compiled is what was read; the cache made of it bears the time of before."""
    file = tmp_path / "ft_raced.py"
    file.write_text("x = 'old'")
    os.utime(file, ns=(10**18, 10**18))
    choose = run.choose

    def edit_meanwhile(name: str, kind: str, path: str, found: bytes | None) -> bytes:
        file.write_text("x = 'new'")
        return choose(name, kind, path, found)

    monkeypatch.setattr(run, "choose", edit_meanwhile)
    assert importlib.import_module("ft_raced").x == "old"
    monkeypatch.setattr(run, "choose", choose)
    del sys.modules["ft_raced"]
    assert importlib.import_module("ft_raced").x == "new"
