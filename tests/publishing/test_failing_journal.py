"""A journal that fails, or says nonsense: who asked hears of it, and all else goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq

from linescan.errors import JournalError
from linescan.publishing import Publisher, desk
from tests.publishing.asking import Asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publish
from tests.waiting import PATIENCE_MS

ERRORS = [JournalError("the disk is broken"), OSError("input/output error"), KeyError("a bug")]


def failing(monkeypatch: pytest.MonkeyPatch, journal: MemoryJournal, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    for name in ("epochs", "pruned", "acknowledge", "acknowledged"):
        monkeypatch.setattr(journal, name, fail)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_who_asks_hears_of_it(
    publisher: Publisher,
    journal: MemoryJournal,
    ask: Asking,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    messages = publish(publisher, 2)
    mine: dict[str, Any] = {"camera": "web-1", "kind": "event", "epoch": publisher.epoch}
    with monkeypatch.context() as patch:
        failing(patch, journal, error)
        assert ask.refused("positions", name="qc") == "journal_failed"
        assert ask.refused("ack", name="qc", **mine, seq=1) == "journal_failed"
        assert ask.refused("ack", name="qc", **{**mine, "epoch": "old"}, seq=1) == "journal_failed"
        assert ask.ask("latest", camera="web-1", kind="event")[1] == messages[-1]
        messages += publish(publisher, 1, first=2)
    assert ask.ask("positions", name="qc")[0]["acknowledged"] == []
    assert ask.ask("ack", name="qc", **mine, seq=2)[0]["ok"]


def test_nonsense_is_an_error_too(
    publisher: Publisher, journal: MemoryJournal, ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(journal, "epochs", lambda: ["nonsense"])
        assert ask.refused("positions") == "journal_failed"
    publish(publisher, 1)
    assert len(ask.ask("positions")[0]["epochs"]) == 1


@pytest.mark.parametrize("answer", ["raises", "nonsense"])
def test_the_status_tells_again_what_can_be_fetched_once_the_journal_is_well(
    publisher: Publisher, journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(desk, "PERIOD_S", 0.05)
    publish(publisher, 1)
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger, socket.rcvtimeo = 0, PATIENCE_MS
        socket.subscribe(b"")
        socket.connect(publisher.endpoints["status"] or "")

        def until(oldest: int | None) -> None:
            while json.loads(socket.recv_multipart()[1])["event"]["oldest"] != oldest:
                pass

        until(0)
        with monkeypatch.context() as patch:
            if answer == "raises":
                failing(patch, journal, ERRORS[-1])
            else:
                patch.setattr(journal, "epochs", lambda: ["nonsense"])
            until(None)
        until(0)
