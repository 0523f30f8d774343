"""The whole configuration of one camera's pipeline."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from linescan.config.alignment import AlignmentSection, CalibrationSection
from linescan.config.base import Section
from linescan.config.correction import CorrectionSection
from linescan.config.delivery import OverloadSection, PublishSection
from linescan.config.depth import DepthSection
from linescan.config.journal import JournalSection
from linescan.config.processing import FrameSection, SegmentationSection
from linescan.config.sinks import SinksSection
from linescan.config.source import Source

CAMERA = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class Config(Section):
    """One camera, from its lines to what subscribers get."""

    camera: Annotated[str, Field(pattern=CAMERA)] = "web-1"
    """Name of the camera in topics, logs and metrics."""
    source: Source
    """Where lines come from."""
    correction: CorrectionSection = CorrectionSection()
    """What is done to lines before they become frames."""
    frame: FrameSection = FrameSection()
    """How lines become frames."""
    depth: DepthSection = DepthSection()
    """Depth from gray frames."""
    alignment: AlignmentSection = AlignmentSection()
    """Depth that goes on from frame to frame without steps."""
    calibration: CalibrationSection = CalibrationSection()
    """Height in a unit from depth."""
    segmentation: SegmentationSection = SegmentationSection()
    """Objects from depth."""
    publish: PublishSection = PublishSection()
    """Results over ZeroMQ."""
    journal: JournalSection = JournalSection()
    """What was published, kept on the disk."""
    sinks: SinksSection = SinksSection()
    """Brokers that get what the journal keeps."""
    overload: OverloadSection = OverloadSection()
    """What happens when a stage cannot keep up."""
