"""Which modules are the user's own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path

import msgspec  # noqa: F401 - it is asked about
import pytest

import scoop_ft.futures  # noqa: F401 - it is asked about
from scoop_ft.code.own import is_own, own_file


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Each test asks about modules of its own, under names that others may have used."""
    from scoop_ft.code import own

    own._is_own.cache_clear()
    own.find.cache_clear()


def imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Import a file as a module; return its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 1\n")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, path.stem, module)
    return path.stem


@pytest.mark.parametrize(
    "name", ["os", "json", "sys", "math", "zipfile", "json.decoder", "this", "lib2to3.nothing", ""]
)
def test_python_is_not_the_users_own(name: str) -> None:
    """Imported here or not, made of Python or not, there or not."""
    assert not is_own(name)


def test_what_is_installed_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_own("pytest")
    assert not is_own("msgspec")
    elsewhere = tmp_path / "other.venv" / "lib" / "python3.9" / "site-packages" / "thing.py"
    assert not is_own(imported(elsewhere, monkeypatch))


def test_this_package_is_not_wherever_it_lies() -> None:
    assert not is_own("scoop_ft.futures")
    assert not is_own("scoop_chaos")


def test_what_lies_elsewhere_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_own(imported(tmp_path / "model.py", monkeypatch))


def test_what_is_imported_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = imported(tmp_path / "gone.py", monkeypatch)
    (tmp_path / "gone.py").unlink()
    assert is_own(name)  # its file says nothing about whose it is


def test_what_is_not_imported_yet_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "__init__.py").write_text("raise SystemExit\n")
    (tmp_path / "later" / "part.py").write_text("raise SystemExit\n")
    (tmp_path / "bare").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert is_own("later")
    assert is_own("later.part")
    assert not is_own("later.nothing")
    assert not is_own("bare")  # no code


def test_a_module_without_source_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("made")
    monkeypatch.setitem(sys.modules, "made", made)
    assert not is_own("made")
    file = str(tmp_path / "compiled.cpython-311-x86_64-linux-gnu.so")
    compiled = types.ModuleType("compiled")
    compiled.__spec__ = ModuleSpec("compiled", ExtensionFileLoader("compiled", file), origin=file)
    monkeypatch.setitem(sys.modules, "compiled", compiled)
    assert not is_own("compiled")


def test_the_script_is_whatever_it_is_called(tmp_path: Path) -> None:
    program = (
        "from scoop_ft import script\nfrom scoop_ft.code.own import is_own\n"
        "names = '__main__', '__mp_main__'\nprint(*map(is_own, names))\n"
        "script.prepare_worker('study')\nprint(*map(is_own, names))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert said == "False False\nTrue True\n"


class Refuses:
    """A finder that lets nobody find a module."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "ft_refused":
            raise ModuleNotFoundError(f"{name} is out of bounds")


def test_what_a_finder_refuses_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only looked for: it may never be imported."""
    monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    assert own_file("ft_refused") is None
    assert own_file("ft_refused.part") is None
