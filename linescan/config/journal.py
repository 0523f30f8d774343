"""The journal: what was published stays on the disk for those who were away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from linescan import names
from linescan.config.base import Section

SUBSCRIBER = f"^{names.SUBSCRIBER}$"
LEAST_SEGMENTS = 4
"""So many segments fit into ``max_gb`` at least: retention removes whole ones."""


class JournalSection(Section):
    """Inspections and events on the disk, see docs/how-to/keep-a-journal.md."""

    enabled: bool = False
    """Switch on to keep what is published, for subscribers that were away and for audits."""
    folder: Path = Path("journal")
    """Where it lies; one pipeline each. Relative to the folder of the configuration file."""
    max_gb: float = Field(default=50.0, gt=0, le=1e6)
    """Most space on the disk, in 10^9 bytes; the oldest goes first, acknowledged or not."""
    max_age_h: float = Field(default=72.0, gt=0, le=1e6)
    """What is older goes, in hours, unless a name in ``keep_for`` has not acknowledged it."""
    segment_mb: int = Field(default=256, ge=1, le=16384)
    """Size of one file, in MB; space is given back by whole files."""
    buffer_mb: int = Field(default=256, ge=1, le=16384)
    """Most shared memory for messages that wait for the disk, in MB; where that is full, messages
    are left out of the journal."""
    sync_ms: int = Field(default=50, ge=1, le=60_000)
    """How often the disk is told to keep what was written; what came since is not yet durable."""
    keep_for: tuple[Annotated[str, Field(pattern=SUBSCRIBER)], ...] = Field(
        default=(), max_length=100
    )
    """Names of subscribers for whom messages are kept beyond ``max_age_h`` until they
    acknowledge them, but never beyond ``max_gb``."""

    @property
    def max_bytes(self) -> int:
        """``max_gb`` in bytes."""
        return int(self.max_gb * 1e9)

    @property
    def segment_bytes(self) -> int:
        """``segment_mb`` in bytes."""
        return self.segment_mb << 20

    @property
    def buffer_bytes(self) -> int:
        """``buffer_mb`` in bytes."""
        return self.buffer_mb << 20

    @model_validator(mode="after")
    def _room_for_segments(self) -> JournalSection:
        if LEAST_SEGMENTS * self.segment_bytes > self.max_bytes:
            raise ValueError(
                f"max_gb: {self.max_gb:g} has no room for {LEAST_SEGMENTS} segments of"
                f" {self.segment_mb} MB: make segment_mb smaller or max_gb larger"
            )
        return self
