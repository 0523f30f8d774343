"""What ``linescan journal ls`` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from linescan.cli.units import name_moment, name_size
from linescan.journal import Acknowledgements, Content, JournalReader
from linescan.journal.folder import Folder, is_locked
from linescan.journal.rescue import left_behind

WIDTH: Final = 120
"""Columns that the tables need with names of usual length."""


class Listing:
    """What is in a journal, and who has acknowledged what.

    Raises:
        JournalError: there is no journal.
    """

    def __init__(self, path: Path) -> None:
        folder = Folder(path)
        self._path = path
        self._reader = JournalReader(path)
        self._contents = self._reader.contents()
        self._written = is_locked(folder)
        self._left = left_behind(folder)
        sizes = list(map(folder.size, folder.numbers()))
        self._segments, self._bytes = len(sizes), sum(sizes)
        acknowledgements = Acknowledgements(path)
        self._acknowledged = {name: acknowledgements.get(name) for name in acknowledgements.names()}

    def as_json(self) -> str:
        """All of it; times are ns since 1970, as strings."""
        epochs: dict[str, list[dict[str, Any]]] = {}
        for content in self._contents:
            epochs.setdefault(content.stream.epoch, []).append(self._stream(content))
        data = {
            "folder": str(self._path),
            "in_use": self._written,
            "segments": self._segments,
            "bytes": self._bytes,
            "epochs": [{"epoch": epoch, "streams": streams} for epoch, streams in epochs.items()],
            "acknowledged": [
                {"name": name, **stream._asdict(), "seq": seq}
                for name, known in self._acknowledged.items()
                for stream, seq in known.items()
            ],
        }
        return json.dumps(data, indent=2)

    def show(self, console: Console) -> None:
        """Print tables; a narrower terminal wraps their lines, nothing is cut off."""
        console.width = max(console.width, WIDTH)
        use = "in use by a pipeline" if self._written else "not in use"
        console.print(
            f"{self._path}: {name_size(self._bytes)} in {self._segments} segments, {use}",
            soft_wrap=True,
        )
        if self._contents:
            console.print(self._streams_table())
        if self._acknowledged:
            console.print(self._names_table())
        if self._left:
            console.print(f"note: {self._left}", soft_wrap=True)

    def _stream(self, content: Content) -> dict[str, Any]:
        gaps = self._reader.gaps(*content.stream) if content.missing else []
        return {
            "camera": content.stream.camera,
            "kind": str(content.stream.kind),
            "oldest": content.range.oldest,
            "last": content.range.last,
            "messages": content.messages,
            "gaps": [[gap.first, gap.count] for gap in gaps],
            "bytes": content.bytes,
            "first_ns": str(content.first_ns),
            "last_ns": str(content.last_ns),
        }

    def _streams_table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("epoch", "camera", "kind"):
            table.add_column(name, no_wrap=True)
        for name in ("first", "last", "messages", "gaps", "size"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("from", "to"):
            table.add_column(name, no_wrap=True)
        for content in self._contents:
            absent = content.range.last - content.range.oldest + 1 - content.messages
            table.add_row(
                content.stream.epoch[:8],
                content.stream.camera,
                str(content.stream.kind),
                str(content.range.oldest),
                str(content.range.last),
                str(content.messages),
                str(absent) if absent else "",
                name_size(content.bytes),
                name_moment(content.first_ns),
                name_moment(content.last_ns),
            )
        return table

    def _names_table(self) -> Table:
        last = {content.stream: content.range.last for content in self._contents}
        table = Table(box=None, pad_edge=False)
        for name in ("acknowledged by", "epoch", "camera", "kind"):
            table.add_column(name, no_wrap=True)
        for name in ("up to", "behind"):
            table.add_column(name, justify="right", no_wrap=True)
        for name, known in self._acknowledged.items():
            for stream, seq in known.items():
                behind = str(max(0, last[stream] - seq)) if stream in last else "pruned"
                table.add_row(
                    name, stream.epoch[:8], stream.camera, str(stream.kind), str(seq), behind
                )
        return table
