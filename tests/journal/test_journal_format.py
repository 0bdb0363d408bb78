"""The bytes on disk: what docs/journal-format.md shows is what is written and what is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from scoop_journal import Journal, Reader, layout, verify
from scoop_journal.__main__ import main

#: Every value of a small journal in format 2, computed once and never again.
GOLDEN: dict[bytes, dict[str, str]] = {
    b"blobs": {
        "6e616d65": "2d 45 30 0f 00 00 00 00 04 00 00 00 34 58 77 1d 6e 61 6d 65 76 61 6c 75 65",
    },
    b"events": {
        "0000000000000001": "2a 9b 24 26 01 02 00 00"
        " 04 00 00 00 15 6a 2c 42 68 65 61 64 70 61 79 6c 6f 61 64",
        "0000000000000002": "73 1d 36 ef ff 00 00 00 00 00 00 00 f1 86 6c 7a 6f 6e 65",
        "0000000000000003": "b5 9e 86 e4 ff 00 00 00 00 00 00 00 66 8a ca 11 74 77 6f",
        "0000000000000004": "7f 47 2f 37 07 00 00 00 04 00 00 00 00 00 00 00 6e 65 78 74",
    },
    b"meta": {
        "6d61676963": "73 63 6f 6f 70 5f 6a 6f 75 72 6e 61 6c 00 02 00 00 00",
        "6e657874": "79 6e d8 09 00 00 00 00"
        " 04 00 00 00 e6 2b 48 15 6e 65 78 74 00 00 00 00 00 00 00 05",
        "72756e": "24 82 a9 74 00 00 00 00 03 00 00 00 d1 a3 1f 9f 72 75 6e 61 2d 72 75 6e",
    },
}


def make(path: Path) -> None:
    with Journal.create(path, "a-run") as journal:
        journal.append(1, b"head", b"payload", [b"one", b"two"])
        journal.append(7, b"next")
        journal.put_blob(b"name", b"value")
        journal.commit()


def test_what_is_written(path: Path) -> None:
    make(path)
    found: dict[bytes, dict[str, str]] = {}
    with lmdb.open(str(path), max_dbs=5, lib_version=0, readonly=True) as env:
        for table in env.dbs():
            with env.begin(db=env.open_db(table, create=False)) as txn:
                found[table] = {key.hex(): value.hex(" ") for key, value in txn.cursor()}
    assert found == GOLDEN


def test_what_was_written_is_read(path: Path) -> None:
    """The golden bytes, put there by LMDB alone, are a journal."""
    path.mkdir()
    with lmdb.open(str(path), max_dbs=5, lib_version=0) as env:
        for table, values in GOLDEN.items():
            with env.begin(write=True, db=env.open_db(table)) as txn:
                for key, value in values.items():
                    txn.put(bytes.fromhex(key), bytes.fromhex(value))
    with Reader.open(path) as reader:
        assert reader.meta == ("a-run", 2, 5)
        records = [(seq, *record) for seq, record in reader.scan()]
        assert records == [(1, 1, b"head", b"payload", [b"one", b"two"]), (4, 7, b"next", b"", [])]
        assert dict(reader.blobs()) == {b"name": b"value"}
        del records
    with Journal.open(path) as journal:
        assert journal.append(1, b"") == 5


def test_the_document_shows_these_bytes() -> None:
    document = Path(__file__).parents[2] / "docs" / "journal-format.md"
    text = " ".join(document.read_text(encoding="utf-8").split())
    for values in GOLDEN.values():
        for value in values.values():
            assert value in text
    assert f"format {layout.FORMAT}" in text


def test_numbers_sort_as_their_keys() -> None:
    numbers = [0, 1, 255, 256, 1 << 32, (1 << 64) - 1]
    assert sorted(map(layout.pack_key, numbers)) == [layout.pack_key(n) for n in numbers]
    assert [layout.unpack_key(layout.pack_key(n)) for n in numbers] == numbers


def test_verify_counts(path: Path) -> None:
    make(path)
    report = verify(path)
    assert (report.ok, report.run, report.records, report.blobs) == (True, "a-run", 2, 1)
    assert report.size_bytes == (path / "data.mdb").stat().st_size
    assert not report.live


def test_the_command(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["--help"]) == 2
    assert main([str(path)]) == 1
    assert "no journal" in capsys.readouterr().err
    make(path)
    assert main([str(path)]) == 0
    assert "sound; run a-run, 2 records, 1 blobs" in capsys.readouterr().out


def test_only_what_is_allowed_is_imported() -> None:
    """The library stands alone: no socket library, no greenlet, nothing of its users."""
    code = "import sys, scoop_journal; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"zmq", "greenlet", "scoop_ft", "scoop_chaos", "cloudpickle", "click"}
