"""Retention at a user's request, whether or not a pipeline writes the journal."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from linescan.errors import JournalError
from linescan.journal.acknowledgements import Acknowledgements
from linescan.journal.folder import Folder, is_locked
from linescan.journal.index import Index
from linescan.journal.problems import write_error
from linescan.journal.pruning import remove, select
from linescan.journal.retention import Choice, Limits


def prune_by_hand(
    path: Path,
    *,
    older_than_ns: int | None,
    most_bytes: int | None,
    keep_for: Sequence[str] = (),
    dry_run: bool = False,
) -> tuple[list[Choice], int]:
    """Remove the oldest segments.

    The newest one always stays, and so does what a running pipeline has not synced and indexed.

    Args:
        path: the journal's folder.
        older_than_ns: what was published longer ago may go.
        most_bytes: so much may stay, whatever was acknowledged.
        keep_for: names whose unacknowledged messages age does not remove.
        dry_run: remove nothing.

    Returns:
        What was removed, and the bytes that are left.

    Raises:
        JournalError: there is no journal, a name has acknowledged nothing, or a file stays.
    """
    folder = Folder(path)
    folder.check()
    numbers = folder.numbers()
    if not numbers:
        return [], 0
    acknowledgements = Acknowledgements(path)
    for name in set(keep_for) - set(acknowledgements.names()):
        known = ", ".join(acknowledgements.names()) or "nobody has"
        raise JournalError(f"{name}: has acknowledged nothing in this journal; known: {known}")
    kept = {name: acknowledgements.get(name) for name in keep_for}
    total = sum(map(folder.size, numbers))
    try:
        index = _index(folder)
        try:
            before = _first_in_use(folder, index, numbers)
            in_use = sum(folder.size(number) for number in numbers if number >= before)
            limits = Limits(
                most_bytes=2**63 if most_bytes is None else most_bytes - in_use,
                oldest_ns=-(2**63) if older_than_ns is None else time.time_ns() - older_than_ns,
            )
            chosen = select(folder, index, limits, kept, before)
            if not dry_run:
                remove(folder, index, chosen)
        finally:
            if index is not None:
                index.close()
    except OSError as error:
        raise write_error(path, error) from error
    return chosen, total - sum(choice.bytes for choice in chosen)


def _first_in_use(folder: Folder, index: Index | None, numbers: Sequence[int]) -> int:
    """The oldest segment that stays: the newest one, or what a running writer has not synced."""
    if not is_locked(folder):
        return numbers[-1]
    try:
        positions = index.positions() if index is not None else {}
    except sqlite3.Error:
        positions = {}
    return next((n for n in numbers if positions.get(n) != folder.size(n)), numbers[-1])


def _index(folder: Folder) -> Index | None:
    try:
        return Index.open(folder.index)
    except sqlite3.Error:
        return None
