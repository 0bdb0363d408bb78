"""Who listens at several addresses hears all of them, however much comes to one."""

from __future__ import annotations

from pathlib import Path

import zmq

from scoop_ft.broker.sockets import Sockets

from .test_fuzz_broker import hello

MANY = 50


def test_a_flood_at_one_address_is_no_silence_at_the_other(tmp_path: Path) -> None:
    addresses = [f"ipc://{tmp_path}/{name}" for name in ("near", "far")]
    sockets = Sockets(addresses)
    try:
        with zmq.Context() as context:
            near, far = (context.socket(zmq.DEALER) for _ in addresses)
            for one, address in zip((near, far), addresses, strict=True):
                one.set(zmq.LINGER, 0)
                one.connect(address)
            for _ in range(MANY):
                near.send(hello(b"of near."))
            far.send(hello(b"of far.."))
            for router in sockets.routers:
                assert router.poll(5_000), "both have come"
            heard = [found[0] for _ in range(4) if (found := sockets.receive()) is not None]
            assert b"of far.." in heard
            near.close()
            far.close()
    finally:
        sockets.close()
