"""Which modules are the user's own."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
import types
import zipfile
from pathlib import Path

import msgspec
import pytest

import scoop_ft.futures
from scoop_ft.ownmodules import is_own_module


def _imported(path: Path) -> types.ModuleType:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 1\n")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("module", [os, json, sys, math, zipfile, json.decoder])
def test_python_is_not_the_users_own(module: types.ModuleType) -> None:
    assert not is_own_module(module)


def test_what_is_installed_is_not(tmp_path: Path) -> None:
    assert not is_own_module(pytest)
    assert not is_own_module(msgspec)
    elsewhere = tmp_path / "other.venv" / "lib" / "python3.9" / "site-packages" / "thing.py"
    assert not is_own_module(_imported(elsewhere))


def test_this_package_is_not_wherever_it_lies() -> None:
    assert not is_own_module(scoop_ft.futures)


def test_what_lies_elsewhere_is(tmp_path: Path) -> None:
    module = _imported(tmp_path / "model.py")
    assert is_own_module(module)
    (tmp_path / "model.py").unlink()
    assert is_own_module(module)  # its file says nothing about whose it is


def test_a_module_without_source_is_not(tmp_path: Path) -> None:
    made = types.ModuleType("made")
    assert not is_own_module(made)
    made.__file__ = str(tmp_path / "made.cpython-311-x86_64-linux-gnu.so")
    assert not is_own_module(made)
    assert not is_own_module(None)
