"""Binding again to what was just released."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import zmq

from linescan.publishing.endpoint import bind, rebind


class Held:
    """Stands for a message that a caller has in hand."""


def test_waiting_for_an_endpoint_keeps_nothing_of_its_callers_alive() -> None:
    """Else a message would count as unfetched until Python next looks for cycles."""
    context: zmq.Context[Any] = zmq.Context()
    first, second = context.socket(zmq.XPUB), context.socket(zmq.XPUB)
    endpoint = bind(first, "tcp://127.0.0.1:*")
    release = threading.Timer(0.1, first.close, kwargs={"linger": 0})

    def call() -> weakref.ref[Held]:
        held = Held()
        release.start()
        rebind(second, endpoint, 10)
        return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        kept = call()
        assert kept() is None
    finally:
        gc.enable()
        release.join()
        context.destroy(linger=0)
