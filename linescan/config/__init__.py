"""The YAML configuration as pydantic models; ``load`` reads a file and names the line of an error.

A command line's ``--set a.b=c`` goes through the same validation.
"""

from linescan.config.alignment import AlignmentSection, CalibrationSection
from linescan.config.correction import CorrectionSection, EncoderResamplingSection
from linescan.config.delivery import OverloadSection, PublishSection
from linescan.config.depth import DepthSection
from linescan.config.genicam import Device, Encoder, GenicamSource, Pitch, Trigger, VirtualWeb
from linescan.config.journal import JournalSection
from linescan.config.load import load, parse
from linescan.config.processing import (
    BeltSection,
    FrameSection,
    SegmentationSection,
    ShapeSection,
    ThresholdSection,
    TracksSection,
)
from linescan.config.root import Config
from linescan.config.sinks import MqttSection, NatsSection, SinksSection
from linescan.config.source import ImagesSource, RecordingSource, SimulatedSource, Source

__all__ = [
    "AlignmentSection",
    "BeltSection",
    "CalibrationSection",
    "Config",
    "CorrectionSection",
    "DepthSection",
    "Device",
    "Encoder",
    "EncoderResamplingSection",
    "FrameSection",
    "GenicamSource",
    "ImagesSource",
    "JournalSection",
    "MqttSection",
    "NatsSection",
    "OverloadSection",
    "Pitch",
    "PublishSection",
    "RecordingSource",
    "SegmentationSection",
    "ShapeSection",
    "SimulatedSource",
    "SinksSection",
    "Source",
    "ThresholdSection",
    "TracksSection",
    "Trigger",
    "VirtualWeb",
    "load",
    "parse",
]
