"""Whether a JetStream stream that is there is the one that the configuration states."""

from __future__ import annotations

from collections.abc import Iterator

from nats.js.api import StreamConfig


def differences(found: StreamConfig, wanted: StreamConfig, *, all_of_it: bool) -> list[str]:
    """What is not as stated, in words.

    Args:
        found: the stream of the server.
        wanted: the one that the configuration states.
        all_of_it: also what only matters to whoever makes the stream.
    """
    return [*_needed(found, wanted), *(_stated(found, wanted) if all_of_it else ())]


def _needed(found: StreamConfig, wanted: StreamConfig) -> Iterator[str]:
    (subject,) = wanted.subjects or ("",)
    if not any(_covers(pattern, subject) for pattern in found.subjects or ()):
        yield f"its subjects {found.subjects} do not hold {subject}"
    if found.duplicate_window < wanted.duplicate_window:
        yield (
            f"its duplicate window is {found.duplicate_window:g} s,"
            f" duplicate_window_s is {wanted.duplicate_window:g}"
        )
    if found.no_ack:
        yield "it does not acknowledge (no_ack)"
    if found.sealed:
        yield "it is sealed"


def _stated(found: StreamConfig, wanted: StreamConfig) -> Iterator[str]:
    pairs = {
        "storage": (found.storage, wanted.storage),
        "replicas": (found.num_replicas, wanted.num_replicas),
        "max_age": (found.max_age or 0, wanted.max_age or 0),
        "max_bytes": (found.max_bytes, wanted.max_bytes),
    }
    for name, (there, stated) in pairs.items():
        if there != stated:
            yield f"its {name} is {there}, stated is {stated}"


def _covers(pattern: str, subject: str) -> bool:
    """Whether a stream's subject takes in all that ours, which ends in ``>``, does."""
    own, ours = pattern.split("."), subject.split(".")
    for mine, theirs in zip(own, ours, strict=False):
        if mine == ">":
            return True
        if mine != "*" and mine != theirs:
            return False
        if theirs == ">":
            return False
    return False
