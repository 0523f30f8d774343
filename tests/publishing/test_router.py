"""Replies have memory of their own, with a journal and without, and none takes all of it."""

from __future__ import annotations

from typing import Any

import pytest

from linescan.publishing.publisher import REPLY_SHARE
from tests.publishing.asking import asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish, publishing
from tests.waiting import wait_until

MB = 1 << 20
MEMORY_MB = 128
SHARE = MEMORY_MB * MB // REPLY_SHARE


@pytest.mark.parametrize("kept", [False, True])
def test_a_peer_that_does_not_read_its_replies_holds_up_nobody_else(kept: bool) -> None:
    options: dict[str, Any] = {"journal": MemoryJournal()} if kept else {}
    with (
        publishing(memory_mb=MEMORY_MB, message_bytes=MB, **options) as publisher,
        asking(publisher.endpoints["control"], rcvhwm=1, rcvbuf=4096) as stopped,
        asking(publisher.endpoints["control"]) as ask,
    ):
        (message,) = publish(publisher, 1, size=2 * MB)
        for _ in range(100):
            stopped.send("latest", camera="web-1", kind="event")
        wait_until(lambda: publisher._desk.held_bytes >= 2 * MB)
        for _ in range(20):  # what was read may count for a moment longer
            wait_until(lambda: ask.ask("latest", camera="web-1", kind="event")[1] == message)
            wait_until(lambda: ask.ask("schema")[0]["ok"])
        assert publisher._desk.held_bytes <= MEMORY_MB * MB // 4
        if not kept:
            assert publisher._desk.held_bytes <= SHARE


def test_the_memory_of_replies_is_part_of_the_whole() -> None:
    with publishing(memory_mb=MEMORY_MB, message_bytes=MB) as publisher:
        assert publisher._budget.limit_bytes + SHARE == MEMORY_MB * MB
    with publishing(memory_mb=MEMORY_MB, message_bytes=MB, control=None) as publisher:
        assert publisher._budget.limit_bytes == MEMORY_MB * MB
