"""``blocks.csv``: one row for each block of lines and each loss, in order.

A row counts only with its line end: a file cut short by a crash loses its last row, and never gives
a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linescan.errors import SourceError
from linescan.records import BlockFlag, Cause, Loss

INDEX_FILE = "blocks.csv"
BLOCK_FOLDER = "blocks"
COLUMNS = (
    "kind",
    "first_line",
    "count",
    "file",
    "row",
    "host_time_ns",
    "device_time_ns",
    "encoder_file",
    "flags",
    "cause",
    "estimated",
)
HEADER_ROW = ",".join(COLUMNS) + "\n"


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """Lines that lie one after the other in a block file.

    Attributes:
        first_line: absolute number of the first line.
        count: number of lines.
        file: name of the block file in ``blocks/``.
        row: row of the first line in that file.
        host_time_ns: when the host had the last line, ns since the epoch.
        device_time_ns: the camera's time stamp, where it gave one.
        encoder_file: name of the file of encoder ticks in ``blocks/``, same rows; None for none.
        flags: what the source noticed.
    """

    first_line: int
    count: int
    file: str
    row: int
    host_time_ns: int
    device_time_ns: int | None
    encoder_file: str | None
    flags: BlockFlag

    def to_row(self) -> str:
        """The entry as a line of ``blocks.csv``, line end included."""
        device = "" if self.device_time_ns is None else str(self.device_time_ns)
        flags = "|".join(str(flag.name).lower() for flag in self.flags)
        return (
            f"block,{self.first_line},{self.count},{self.file},{self.row},{self.host_time_ns},"
            f"{device},{self.encoder_file or ''},{flags},,\n"
        )


@dataclass(frozen=True, slots=True)
class LossEntry:
    """Lines that the source reported lost."""

    loss: Loss

    @property
    def first_line(self) -> int:
        """Absolute number of the first lost line."""
        return self.loss.first_line

    @property
    def count(self) -> int:
        """Number of lost lines."""
        return self.loss.count

    def to_row(self) -> str:
        """The entry as a line of ``blocks.csv``, line end included."""
        estimated = "true" if self.loss.estimated else "false"
        return f"loss,{self.first_line},{self.count},,,,,,,{self.loss.cause},{estimated}\n"


Entry = BlockEntry | LossEntry


def read_entries(path: Path) -> Iterator[Entry]:
    """Read ``blocks.csv`` row by row; a last row without its line end is left out.

    Raises:
        SourceError: it cannot be read, or a row is wrong; the text names file and line.
    """
    next_line: int | None = None
    try:
        with path.open(encoding="ascii", newline="\n") as file:
            for number, text in enumerate(file, start=1):
                if not text.endswith("\n"):
                    return
                row = text.rstrip("\r\n")
                if number == 1:
                    _check_columns(path, row)
                    continue
                entry = _parse(path, number, row)
                if next_line is not None and entry.first_line < next_line:
                    raise SourceError(
                        f"{path}:{number}: line {entry.first_line} comes again; expected "
                        f"{next_line} or later"
                    )
                next_line = entry.first_line + entry.count
                yield entry
    except FileNotFoundError as error:
        raise SourceError(f"{path}: the list of blocks is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: the list of blocks cannot be read: {error}") from error


def _check_columns(path: Path, row: str) -> None:
    if tuple(row.split(",")) != COLUMNS:
        raise SourceError(f"{path}:1: expected the columns {HEADER_ROW.strip()}, got {row!r}")


def _parse(path: Path, number: int, row: str) -> Entry:
    cells = row.split(",")
    try:
        if len(cells) != len(COLUMNS):
            raise ValueError(f"expected {len(COLUMNS)} cells, got {len(cells)}")
        named = dict(zip(COLUMNS, cells, strict=True))
        first_line, count = int(named["first_line"]), int(named["count"])
        if count < 1:
            raise ValueError(f"'count' must be at least 1, got {count}")
        if named["kind"] == "loss":
            estimated = {"true": True, "false": False}[named["estimated"]]
            return LossEntry(Loss(first_line, count, Cause(named["cause"]), estimated))
        if named["kind"] == "block":
            return _parse_block(named, first_line, count)
        raise ValueError(f"'kind' must be block or loss, got {named['kind']!r}")
    except (ValueError, KeyError) as error:
        raise SourceError(f"{path}:{number}: wrong row: {error}") from error


def _parse_block(named: dict[str, str], first_line: int, count: int) -> BlockEntry:
    flags = BlockFlag.NONE
    for name in filter(None, named["flags"].split("|")):
        flags |= BlockFlag[name.upper()]
    row = int(named["row"])
    if row < 0:
        raise ValueError(f"'row' must not be negative, got {row}")
    for key in ("file", "encoder_file"):
        if "/" in named[key] or "\\" in named[key] or named[key] in {".", ".."}:
            raise ValueError(f"'{key}' must be a name in the folder of blocks, got {named[key]!r}")
    if not named["file"]:
        raise ValueError("'file' is empty")
    return BlockEntry(
        first_line=first_line,
        count=count,
        file=named["file"],
        row=row,
        host_time_ns=int(named["host_time_ns"]),
        device_time_ns=int(named["device_time_ns"]) if named["device_time_ns"] else None,
        encoder_file=named["encoder_file"] or None,
        flags=flags,
    )
