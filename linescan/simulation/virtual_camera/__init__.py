"""A virtual line-scan camera: a GenTL producer of our own that plays lines as a camera would.

``build_producer`` makes the producer (.cti) with the system's C compiler. ``VirtualWorld`` is the
file that the producer maps: the camera's pixels, clock, encoder, settings and faults live in it and
go on while no process has the camera open. See docs/reference/virtual-camera.md.
"""

from linescan.simulation.virtual_camera.build import NAME, build_producer, compiler
from linescan.simulation.virtual_camera.faults import (
    ENDING_FAULTS,
    STREAM_FAULTS,
    Fault,
    FaultKind,
    FaultPlan,
    FaultState,
    HangCall,
)
from linescan.simulation.virtual_camera.settings import (
    NO_WRAP,
    PIXEL_FORMATS,
    Quirk,
    WorldSettings,
)
from linescan.simulation.virtual_camera.truth import Fate, JournalEntry, JournalKind, Truth
from linescan.simulation.virtual_camera.world import ENVIRONMENT, VirtualWorld, environment

__all__ = [
    "ENDING_FAULTS",
    "ENVIRONMENT",
    "NAME",
    "NO_WRAP",
    "PIXEL_FORMATS",
    "STREAM_FAULTS",
    "Fate",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "FaultState",
    "HangCall",
    "JournalEntry",
    "JournalKind",
    "Quirk",
    "Truth",
    "VirtualWorld",
    "WorldSettings",
    "build_producer",
    "compiler",
    "environment",
]
