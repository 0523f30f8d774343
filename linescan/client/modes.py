"""The modes of a subscriber."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from linescan.errors import SubscribeError
from linescan.protocol import Kind
from linescan.protocol.control import KEPT


class Mode(enum.StrEnum):
    """What a subscriber gives."""

    STREAM = "stream"
    """Every message that arrives; gaps are reported."""
    LIVE = "live"
    """Always the newest."""
    OBJECTS = "objects"
    """The objects of every frame that arrives; no arrays travel."""
    COMPLETE = "complete"
    """Every inspection and event once, in order; what is missed is fetched from the journal."""


_KINDS = {
    Mode.STREAM: (Kind.INSPECTION,),
    Mode.LIVE: (Kind.INSPECTION,),
    Mode.OBJECTS: (Kind.OBJECTS,),
    Mode.COMPLETE: KEPT,
}


def check_mode(mode: str) -> Mode:
    """The mode of a name.

    Raises:
        SubscribeError: there is none.
    """
    try:
        return Mode(mode)
    except ValueError:
        raise SubscribeError(f"unknown mode {mode}: choose from {', '.join(Mode)}") from None


def check_kinds(mode: Mode, kinds: Iterable[str] | None) -> tuple[Kind, ...]:
    """The kinds to give; those of the mode where none are named.

    Raises:
        SubscribeError: a kind is unknown, or the mode has no such messages.
    """
    if kinds is None:
        return _KINDS[mode]
    if isinstance(kinds, str):
        kinds = (kinds,)
    kinds = list(kinds)
    try:
        checked = tuple(dict.fromkeys(Kind(kind) for kind in kinds))
    except ValueError:
        unknown = ", ".join(str(kind) for kind in kinds if kind not in list(Kind))
        raise SubscribeError(f"unknown kind {unknown}: choose from {', '.join(Kind)}") from None
    if not checked:
        raise SubscribeError(f"no kinds to subscribe to: choose from {', '.join(Kind)}")
    allowed = {Mode.OBJECTS: (Kind.OBJECTS, Kind.EVENT), Mode.COMPLETE: KEPT}.get(mode)
    if allowed is not None and not set(checked) <= set(allowed):
        raise SubscribeError(
            f"mode {mode} gives {' and '.join(allowed)} alone: name no other kinds"
        )
    return checked
