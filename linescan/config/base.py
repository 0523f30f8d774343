"""What all parts of the configuration share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST_S = 1e6
"""No time in the configuration is longer: 11 days, in seconds."""
MOST_LINES = 65536
"""No frame, block or line has more rows or pixels: a frame must fit into memory."""
ENDLESS = 10**15
"""No limit on lines is larger; without one, lines are endless."""

Seconds = Annotated[float, Field(gt=0, le=LONGEST_S)]
Extent = Annotated[int, Field(ge=1, le=MOST_LINES)]
"""Rows or pixels of what is held in memory at once."""
LineRate = Annotated[float, Field(ge=0.01, le=1e9)]
"""Lines per second."""


class Section(BaseModel):
    """A part of the configuration: immutable, every key known, every field documented."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
