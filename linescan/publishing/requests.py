"""Requests from bytes, and replies as bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from linescan.errors import ProtocolError
from linescan.protocol import Kind
from linescan.protocol.control import KEPT, MAX_EPOCH, MAX_ID, MAX_REQUEST_BYTES, check_name
from linescan.protocol.fields import Fields, load_json
from linescan.protocol.topics import SCHEMA, VERSION, check_camera
from linescan.publishing.curve import Gate
from linescan.publishing.store import Stream

REQUEST_NAME: Final = 32
"""Longest name of a request that is repeated in a reply."""


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        code: what is wrong, for programs.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom to answer: routing id, delimiter, the key if it has one, and what the request said."""

    envelope: tuple[bytes, ...]
    key: str | None = None
    request: str = "error"
    id: str | None = None

    @property
    def peer(self) -> bytes:
        """The connection's routing id."""
        return self.envelope[0]

    def reply(self, *, more: dict[str, Any] | None = None) -> bytes:
        """A reply that says that it worked."""
        return self._reply({"ok": True, **(more or {})})

    def refusal(self, code: str, message: str) -> bytes:
        """A reply that says what is wrong."""
        return self._reply({"ok": False, "error": {"code": code, "message": message[:1024]}})

    def _reply(self, fields: dict[str, Any]) -> bytes:
        common = {"schema": SCHEMA, "version": VERSION, "reply": self.request, "id": self.id}
        # ASCII, so that even lone surrogates, which JSON lets through, can be written.
        return json.dumps({**common, **fields}, separators=(",", ":")).encode()


def split(frames: list[bytes], key: str | None) -> tuple[Caller, list[bytes]]:
    """Who asks, and the frames of the request: REQ sockets send an empty one before."""
    if len(frames) > 2 and not frames[1]:
        return Caller((frames[0], b""), key), frames[2:]
    return Caller((frames[0],), key), frames[1:]


def parse(caller: Caller, frames: list[bytes]) -> tuple[Caller, Fields]:
    """The request's name and id, and its fields.

    Raises:
        RequestError: it is not a request of this protocol.
    """
    if len(frames) != 1:
        raise RequestError("bad_request", f"request of {len(frames)} frames: expected one")
    if len(frames[0]) > MAX_REQUEST_BYTES:
        raise RequestError(
            "too_large", f"request of {len(frames[0])} bytes: at most {MAX_REQUEST_BYTES}"
        )
    try:
        values = load_json(frames[0])
        fields = Fields(values, "request")
    except ProtocolError as error:
        raise RequestError("bad_request", str(error)) from None
    name, id_ = values.get("request"), values.get("id")
    known_id = id_ if isinstance(id_, str) and len(id_) <= MAX_ID else None
    known_name = name if isinstance(name, str) and len(name) <= REQUEST_NAME else caller.request
    return Caller(caller.envelope, caller.key, known_name, known_id), fields


def check(fields: Fields) -> None:
    """Schema, version and id.

    Raises:
        ProtocolError: they are not those of this protocol.
    """
    if fields.text("schema") != SCHEMA:
        raise fields.fail("schema", repr(SCHEMA))
    if fields.integer("version") != VERSION:
        raise fields.fail("version", str(VERSION))
    if not fields.empty("id") and len(fields.text("id")) > MAX_ID:
        raise fields.fail("id", f"a string of at most {MAX_ID} characters")


def kind_of(fields: Fields) -> Kind:
    """The kind that a request names: one that is kept.

    Raises:
        ProtocolError: it is another.
    """
    kind = fields.text("kind")
    if kind not in KEPT:
        raise fields.fail("kind", " or ".join(KEPT))
    return Kind(kind)


def stream_of(fields: Fields) -> Stream:
    """Epoch, camera and kind.

    Raises:
        ProtocolError: one is missing or wrong.
    """
    epoch = fields.text("epoch")
    if len(epoch) > MAX_EPOCH:
        raise fields.fail("epoch", f"a string of at most {MAX_EPOCH} characters")
    return Stream(epoch, check_camera(fields.text("camera")), kind_of(fields))


def name_of(caller: Caller, fields: Fields, gate: Gate | None) -> str:
    """The name under which a subscriber asks, if it may use that.

    Raises:
        ProtocolError: it is none.
        RequestError: its key does not stand for it.
    """
    name = check_name(fields.text("name"))
    if gate is not None:
        own = gate.names_of(caller.key)
        if name not in own:
            known = ", ".join(sorted(own)) or "none any more"
            raise RequestError(
                "not_allowed",
                f"your key does not stand for the name {name}, but for {known}: take that one,"
                f" or have the key allowed under this one too",
            )
    return name
