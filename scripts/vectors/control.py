"""Messages of the control and status sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from linescan.protocol.control import status_topic
from linescan.protocol.fields import dump_json
from scripts.vectors.data import CONTROL, STATUS
from scripts.vectors.vector import CAMERA, EPOCH, NOW, Vector

BEFORE: Final = "f3a1c1de-93a1-4b52-8f0e-51f2f0d7b002"
"""The epoch before."""


def control_vectors(newest: Vector) -> Iterator[Vector]:
    """All of them; some replies bring ``newest``."""
    yield from _requests()
    yield from _replies(newest)
    yield _status()


def _json(**fields: object) -> bytes:
    return dump_json({"schema": "linescan", "version": 1, **fields})


def _requests() -> Iterator[Vector]:
    stream: dict[str, object] = {"camera": CAMERA, "kind": "inspection"}
    asked: dict[str, dict[str, object]] = {
        "ping": {},
        "describe": {},
        "schema": {},
        "positions": {"name": "qc-1"},
        "latest": stream,
        "ack": {"name": "qc-1", **stream, "epoch": EPOCH, "seq": 5},
        "gaps": {"name": "qc-1", **stream, "epoch": EPOCH, "runs": [[2, 1], [4, 2]]},
        "replay": {**stream, "epoch": EPOCH, "first": 0, "last": 9, "credit": 4},
        "credit": {"n": 2},
        "cancel": {},
    }
    for name, fields in asked.items():
        frame = _json(request=name, id="7", **fields)
        yield Vector(f"request-{name}", "control", f"asks: {name}", [frame], json_at=0)
    frame = _json(request="ping", id=None)
    yield Vector(
        "request-of-req", "control", "as a REQ socket sends it: an empty frame first", [b"", frame]
    )


def _replies(newest: Vector) -> Iterator[Vector]:
    def reply(name: str, about: str, **fields: object) -> Vector:
        text = _json(**{"reply": name.partition("-")[0], "id": "7", "ok": True, **fields})
        return Vector(f"reply-{name}", "control", about, [text], json_at=0)

    stream = {"epoch": EPOCH, "camera": CAMERA, "kind": "inspection"}
    position = {"camera": CAMERA, "kind": "inspection", "oldest": 0, "last": 6, "durable": 6}
    events = {"camera": CAMERA, "kind": "event", "oldest": None, "last": 1, "durable": None}
    yield reply("ping", "the epoch and the publisher's clock", epoch=EPOCH, time_ns=str(NOW))
    yield reply(
        "positions",
        "what is there of an earlier run and of this one, and what qc-1 acknowledged",
        epochs=[
            {
                "epoch": BEFORE,
                "started_ns": str(NOW - 10**12),
                "current": False,
                "streams": [{**position, "oldest": 100, "last": 199, "durable": 199}],
            },
            {
                "epoch": EPOCH,
                "started_ns": str(NOW),
                "current": True,
                "streams": [position, events],
            },
        ],
        acknowledged=[{**stream, "seq": 5}],
    )
    yield reply("ack", "done")
    for name, fields, about in (
        ("latest", {"epoch": EPOCH, "seq": 0}, "the newest message follows"),
        ("replay-message", {"seq": 0, "more": True}, "one message of a replay"),
    ):
        made = reply(name, about, **fields)
        yield replace(made, frames=[*made.frames, *newest.frames], message=newest.name)
    expired = [[1, 2], [7, 3]]
    yield reply("replay-end", "numbers that cannot be had", more=False, expired=expired)
    error = {"code": "no_journal", "message": "this publisher keeps no journal"}
    yield reply("error", "what is wrong", reply="replay", ok=False, error=error)
    error = {"code": "bad_request", "message": "request: expected an object, got 5"}
    yield reply("error-unknown", "not even the request is known", id=None, ok=False, error=error)


def _status() -> Vector:
    done = [{"epoch": EPOCH, "camera": CAMERA, "kind": "inspection", "seq": 5}]
    text = _json(
        type="status",
        camera=CAMERA,
        epoch=EPOCH,
        time_ns=str(NOW),
        inspection={"last": 6, "durable": 6, "oldest": 0},
        event={"last": None, "durable": None, "oldest": None},
        subscribers=[
            {
                "name": "qc-1",
                "acknowledged": done,
                "gaps": {"inspection": 3, "event": 0},
                "last_seen_ns": str(NOW - 1),
            }
        ],
        endpoints={"control": CONTROL, "status": STATUS},
        journal={"state": "ok", "since_ns": None, "message": None, "missing": 0},
        replays=0,
        held_bytes=0,
        no_room=0,
    )
    return Vector("status", "status", "sent once a second", [status_topic(CAMERA), text])
