"""Prints stay whole: lines, prompts, tails, and the thread that writes them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_ft.launch.output import LONGEST_LINE, PATIENCE_S, Lines, Log, Tail


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"a\n", b"\n\nx"])))
def test_lines_come_whole_and_nothing_is_lost(pieces: list[bytes]) -> None:
    lines = Lines()
    out = [lines.feed(piece, 0.0) for piece in pieces]
    assert all(not part or part.endswith(b"\n") for part in out)
    assert b"".join(out) + lines.flush() == b"".join(pieces)


@given(st.lists(st.tuples(st.binary(max_size=10), st.floats(0, 0.3)), max_size=20))
def test_an_incomplete_line_is_shown_in_time_and_only_once(
    pieces: list[tuple[bytes, float]],
) -> None:
    lines, now, out = Lines(), 0.0, b""
    for piece, pause in pieces:
        out += lines.feed(piece, now)
        now += pause
        due = lines.due()
        shown = lines.overdue(now)
        assert bool(shown) == (due is not None and now >= due)
        out += shown
    assert out + lines.flush() == b"".join(piece for piece, _ in pieces)


def test_a_prompt_waits_from_its_first_byte() -> None:
    lines = Lines()
    assert lines.feed(b"before\nname", 10.0) == b"before\n"
    assert lines.feed(b"? ", 10.1) == b""
    assert lines.due() == 10.0 + PATIENCE_S
    assert lines.overdue(10.1) == b""
    assert lines.overdue(10.0 + PATIENCE_S) == b"name? "
    assert lines.due() is None


def test_an_endless_line_is_cut() -> None:
    lines = Lines()
    assert lines.feed(b"x" * (LONGEST_LINE + 1), 0.0) == b"x" * (LONGEST_LINE + 1)


@given(st.lists(st.text(alphabet="ab\n", max_size=12)), st.integers(1, 5))
def test_the_tail_is_the_last_lines(pieces: list[str], count: int) -> None:
    tail = Tail(count)
    for piece in pieces:
        tail.feed(piece.encode())
    everything = "".join(pieces).split("\n")
    rest = everything.pop()
    assert tail.lines() == everything[-count:] + ([rest] if rest else [])


def test_a_tail_takes_any_bytes() -> None:
    tail = Tail(3)
    tail.feed(b"\xff\xfe\n")
    assert len(tail.lines()) == 1


def test_a_log_is_appended_to_and_a_full_disk_does_not_raise(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = Log(tmp_path / "log")
        log.write(text)
        log.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    full = Log(Path("/dev/full"))
    full.write(b"x")
    assert "space" in full.failed
    full.close()


def test_a_log_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoop_ft.launch.output.LOG_BYTES", 1_000)
    for half in range(2):  # of another process of the same worker
        log = Log(tmp_path / "log")
        for number in range(50 * half, 50 * half + 50):
            log.write(b"%099d\n" % number)
        log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    found = [(tmp_path / name).read_bytes().split() for name in ("log.1", "log")]
    assert [int(line) for lines in found for line in lines] == list(range(80, 100))


def test_a_log_that_cannot_begin_anew_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoop_ft.launch.output.LOG_BYTES", 10)
    folder = tmp_path / "logs"
    folder.mkdir()
    log = Log(folder / "log")
    log.write(b"0123456789\n")
    folder.rename(tmp_path / "moved")
    for _ in range(4):
        log.write(b"0123456789\n")
    log.close()
    assert (tmp_path / "moved" / "log").read_bytes() == b"0123456789\n" * 5


def test_a_log_that_was_taken_away_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody can see would fill the disk."""
    monkeypatch.setattr("scoop_ft.launch.output.LOG_BYTES", 10)
    log = Log(tmp_path / "log")
    log.write(b"0123456789\n")
    (tmp_path / "log").unlink()
    for _ in range(3):
        log.write(b"0123456789\n")
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]


SCREEN = """
    import sys
    from scoop_ft.launch.output import Screen
    screen = Screen((lambda: b"<bar>") if sys.argv[1] == "bar" else None)
    for k in range(3):
        screen.write(1, b"out %d\\n" % k)
        screen.write(2, b"err %d\\n" % k)
    screen.say("said")
    screen.close()
"""


def screen_program(*args: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(SCREEN), *args]


def test_without_a_bar_bytes_are_exact() -> None:
    done = subprocess.run(screen_program("none"), capture_output=True, timeout=30)
    assert done.stdout == b"out 0\nout 1\nout 2\n"
    assert done.stderr == b"err 0\nerr 1\nerr 2\nscoop-ft: said\n"


def test_the_bar_is_taken_away_at_the_end() -> None:
    done = subprocess.run(screen_program("bar"), capture_output=True, timeout=30)
    assert done.stdout == b"out 0\nout 1\nout 2\n"
    visible = done.stderr.split(b"\r\x1b[2K")[-1]
    assert b"<bar>" not in visible
    lines = [line.split(b"\r\x1b[2K")[-1] for line in done.stderr.split(b"\n")]
    assert lines[:4] == [b"err 0", b"err 1", b"err 2", b"scoop-ft: said"]


def test_a_reader_that_goes_away_does_not_hurt() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        screen_program("none"), stdout=write_end, stderr=subprocess.PIPE, timeout=30
    )
    os.close(write_end)
    assert done.returncode == 0
    assert done.stderr.endswith(b"scoop-ft: said\n")


def test_a_log_in_which_nothing_was_written_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "worker-node1-4711-0.log"
    Log(path).close()
    assert not path.exists()
    log = Log(path)
    log.write(b"a print\n")
    log.close()
    assert path.read_bytes() == b"a print\n"
