"""MCAP: every message byte for byte, and JSON beside it that common viewers show."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from linescan.archive.whole import WholeFile
from linescan.errors import ProtocolError
from linescan.journal import Entry, Stream
from linescan.protocol import Buffer, Kind
from linescan.version import __version__

MULTIPART: Final = "linescan-multipart"
"""Message encoding of what is stored byte for byte, see ``join``."""
_LENGTH: Final = struct.Struct("<Q")
_HEADER_SCHEMA: Final = {"type": "object", "title": "linescan/1 header"}


def join(frames: Sequence[Buffer]) -> bytes:
    """The frames of a message as one: each with its length, 64 bits little-endian, before it."""
    lengths = (_LENGTH.pack(memoryview(frame).nbytes) for frame in frames)
    return b"".join(piece for pair in zip(lengths, frames, strict=True) for piece in pair)


def split(data: bytes) -> list[bytes]:
    """The frames of a message that ``join`` made one.

    Raises:
        ProtocolError: the lengths do not fit the bytes.
    """
    frames, at = [], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ProtocolError(f"{len(data) - at} bytes are left, no length of a frame")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ProtocolError(f"a frame of {length} bytes, {len(data) - at} are left")
        frames.append(data[at : at + length])
        at += length
    return frames


class McapExporter:
    """Two channels a stream: the topic with all frames, and ``TOPICheader`` with the JSON alone.

    Log time is the time of publication; the sequence number is that of the message.
    """

    unit = "messages"

    def __init__(self, out: Path) -> None:
        from mcap.writer import Writer

        self.written = 0
        self._channels: dict[Stream, tuple[int, int]] = {}
        self._whole = WholeFile(out)
        with self._whole.writing():
            self._file = self._whole.part.open("wb")
            self._writer = Writer(self._file)
            self._writer.start(profile="", library=f"linescan {__version__}")
        self._schemas: dict[Kind, int] = {}

    def take(self, entry: Entry) -> None:
        """Write one message."""
        with self._whole.writing():
            whole, header = self._channel(entry)
            for channel, data in ((whole, join(entry.frames)), (header, bytes(entry.frames[1]))):
                self._writer.add_message(
                    channel_id=channel,
                    log_time=entry.published_ns,
                    publish_time=entry.published_ns,
                    sequence=entry.key.seq & 0xFFFFFFFF,
                    data=data,
                )
        self.written += 1

    def close(self) -> None:
        """Finish."""
        with self._whole.writing():
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        self._whole.finish()

    def discard(self) -> None:
        """Give up."""
        self._whole.discard()
        self._file.close()

    def _channel(self, entry: Entry) -> tuple[int, int]:
        stream = entry.key.stream
        if stream not in self._channels:
            topic = bytes(entry.frames[0]).decode()
            about = {"epoch": stream.epoch, "camera": stream.camera, "kind": str(stream.kind)}
            self._channels[stream] = (
                self._writer.register_channel(topic, MULTIPART, 0, about),
                self._writer.register_channel(
                    f"{topic}header", "json", self._schema(stream.kind), about
                ),
            )
        return self._channels[stream]

    def _schema(self, kind: Kind) -> int:
        if kind not in self._schemas:
            self._schemas[kind] = self._writer.register_schema(
                f"linescan/1 {kind}", "jsonschema", json.dumps(_HEADER_SCHEMA).encode()
            )
        return self._schemas[kind]
