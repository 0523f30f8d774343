"""Which messages of a journal are meant: by epoch, camera, kind, time and number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from linescan.errors import JournalError
from linescan.journal import Content, Entry, JournalReader
from linescan.protocol import Kind

LAST = "last"
"""Stands for the newest epoch."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted; None does not restrict.

    Attributes:
        epoch: an epoch, or how it begins, or ``last``.
        camera: name of the camera.
        from_ns: published at this time or later.
        until_ns: published before this time.
        first: lowest sequence number.
        last: highest sequence number.
    """

    epoch: str | None = None
    camera: str | None = None
    from_ns: int | None = None
    until_ns: int | None = None
    first: int | None = None
    last: int | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether the message was published in the time that is meant."""
        at = entry.published_ns
        early = self.from_ns is not None and at < self.from_ns
        return not early and (self.until_ns is None or at < self.until_ns)


@dataclass(frozen=True, slots=True)
class Part:
    """Messages of one stream: from ``first`` to ``last``."""

    content: Content
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many they are at most."""
        return self.last - self.first + 1


def select(reader: JournalReader, selection: Selection, kinds: Iterable[Kind]) -> list[Part]:
    """The streams that hold what is wanted, in order of writing.

    Raises:
        JournalError: no stream does; the text says what there is.
    """
    contents, wanted = reader.contents(), set(kinds)
    epoch = _epoch(contents, selection.epoch)
    parts = [
        Part(
            content,
            max(content.range.oldest, selection.first or 0),
            content.range.last
            if selection.last is None
            else min(content.range.last, selection.last),
        )
        for content in contents
        if content.stream.kind in wanted
        and epoch in (None, content.stream.epoch)
        and selection.camera in (None, content.stream.camera)
        and (selection.from_ns is None or content.last_ns >= selection.from_ns)
        and (selection.until_ns is None or content.first_ns < selection.until_ns)
    ]
    parts = [part for part in parts if part.count > 0]
    if not parts:
        raise JournalError(
            f"nothing in the journal is of that {_restrictions(selection) or 'kind'}; it holds"
            f" cameras {_names(c.stream.camera for c in contents)} and epochs"
            f" {_names(c.stream.epoch for c in contents)}: see linescan journal ls"
        )
    return parts


def entries(reader: JournalReader, part: Part, selection: Selection) -> Iterator[Entry]:
    """The messages of a part, in order, one at a time in memory."""
    for entry in reader.read(*part.content.stream, part.first, part.last):
        if selection.wants(entry):
            yield entry


def _epoch(contents: Sequence[Content], wanted: str | None) -> str | None:
    epochs = list(dict.fromkeys(content.stream.epoch for content in contents))
    if wanted is None or not epochs:
        return wanted
    if wanted == LAST:
        return epochs[-1]
    found = [epoch for epoch in epochs if epoch.startswith(wanted)]
    if len(found) > 1 and wanted not in found:
        raise JournalError(f"epoch {wanted}: {len(found)} begin like that: {_names(found)}")
    return wanted if wanted in found or not found else found[0]


def _restrictions(selection: Selection) -> str:
    given = {
        "epoch": selection.epoch,
        "camera": selection.camera,
        "time": selection.from_ns or selection.until_ns,
        "range of numbers": selection.first or selection.last,
    }
    return " and ".join(name for name, value in given.items() if value is not None)


def _names(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    shown = ", ".join(found[:5]) or "none"
    return f"{shown} and {len(found) - 5} more" if len(found) > 5 else shown
