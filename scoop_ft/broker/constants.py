"""What the broker does on shared constants: record them, tell them, and mind who has used them.

Any task may have read any of them.  So when a script sets one to another value than an earlier
launch of it, what is recorded may be stale, and the user says whether it counts, as for functions
that were edited.  Decisions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..wire import messages as wire
from ..wire.frames import Buffer
from .departed import ERROR
from .peers import Peer
from .records import Edit, Kind, encode
from .tasks import DONE
from .values import is_recorded, whole

if TYPE_CHECKING:
    from .core import Broker


def on_set_const(
    b: Broker, peer: Peer, m: wire.SetConst, header: bytes, frames: Sequence[Buffer]
) -> None:
    """A constant: recorded, and told to everybody.

    The first value counts, whoever else may have set one at the same time; but the root, when it is
    run again, may know better.
    """
    known = b.book.consts.get(m.key)
    if known is not None and is_recorded(b.journal, known[0], frames):
        return
    if known is not None and peer.role != "root":
        send_const(b, peer.session, m.key, known[0])
        return
    if known is not None and not _may_change(b, m.key, known[0]):
        return
    seq = b.append(Kind.CONST, header, frames[0], frames[1:])
    b.book.apply_const(seq, m)
    for other in b.peers.others_with_parents(peer):
        send_const(b, other.session, m.key, seq)


def send_const(b: Broker, session: bytes, key: str, seq: int) -> None:
    """Tell a session a constant."""
    sizes, frames = whole(b.journal, seq)
    b.send(session, wire.Const(key, sizes), frames)


# ---- another value than before -----------------------------------------------------------------


def _may_change(b: Broker, key: str, seq: int) -> bool:
    """Do what was said about results of before; False: nothing was, and the run ends."""
    results = b.book.tally.of(DONE)
    if not results:
        return True
    if seq >= b.book.code.launch_seq:  # of this launch: a program that joins brings its own values
        if b.settings.get("script") == "":
            _redo_all(b)
        elif b.on_divergence == ERROR:
            _stop(b, key, results)
            return False
        return True
    if b.stale_results == "redo":
        _redo_all(b)
    elif b.stale_results != "keep":
        _stop(b, key, results)
        return False
    return True


def _redo_all(b: Broker) -> None:
    for function in b.book.functions:
        known = b.book.codes.get(function)
        code, python, sources = known if known is not None else (b"", "", [])
        edit = Edit(function, code, python, True, list(sources))
        b.append(Kind.EDIT, encode(edit))
        b.book.apply_edit(edit)


def _stop(b: Broker, key: str, results: int) -> None:
    called = b.settings.get("called", b.run)
    b.diverged = (
        f"the constant {key!r} is set to another value than before, and {results:,} recorded "
        f"result{'s' if results != 1 else ''} may have been computed with that: "
        f"'scoop-ft resume {called} --redo-changed' computes all of them again, '--keep-results' "
        'keeps them (an Executor: edited="redo", "keep")'
    )
    b.send(b.root, wire.Stop(b.diverged))
    b.hurry = True
