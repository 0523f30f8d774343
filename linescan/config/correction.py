"""What is done to lines before they become frames: the ``correction`` part of the configuration."""

from __future__ import annotations

from linescan.config.base import Section
from linescan.config.source import FilePath


class CorrectionSection(Section):
    """What is done to lines before they become frames."""

    flat_field: FilePath | None = None
    """Reference file of ``linescan calibrate flat-field`` for this camera; none leaves the lines as
    they are."""
