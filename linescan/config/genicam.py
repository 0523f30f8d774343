"""A GenICam camera: ``source: {type: genicam, …}``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat

from linescan.config.base import ENDLESS, Extent, LineRate, Seconds, Section


def named(path: object) -> object:
    """Refuse what names no file: pathlib would take '' for the current folder."""
    if isinstance(path, str) and (not path.strip() or "\0" in path):
        raise ValueError(f"expected a path, got {path!r}")
    return path


Preset = Literal["mixed", "parts", "surface", "print"]
FilePath = Annotated[Path, BeforeValidator(named)]
FEATURE = r"^[A-Za-z_][A-Za-z0-9_]*$"
Feature = Annotated[str, Field(pattern=FEATURE)]
"""A feature's name."""
PixelFormat = Literal[
    "Mono8", "Mono10", "Mono10p", "Mono10Packed", "Mono12", "Mono12p", "Mono12Packed", "Mono14",
    "Mono16",
]  # fmt: skip


class Pitch(Section):
    """Size of one camera pixel on the web."""

    across_mm: PositiveFloat | None = None
    """Distance of neighbouring columns on the web, in mm."""
    along_mm: PositiveFloat | None = None
    """Distance of neighbouring lines on the web, in mm."""


class Device(Section):
    """Which camera of the producer; the first one that matches all given keys."""

    serial: str | None = None
    """Serial number."""
    model: str | None = None
    """Model name."""
    user_name: str | None = None
    """User-defined name."""
    index: NonNegativeInt = 0
    """Position among those that match, from 0."""


class VirtualWeb(Section):
    """What the virtual camera sees, and what goes wrong with it; see ``make producer``."""

    recording: FilePath | None = None
    """Folder of a recording, played again and again; a simulated web where not given."""
    preset: Preset = "parts"
    """What lies on the simulated web."""
    seed: NonNegativeInt = 1
    """The same seed gives the same web and the same faults."""
    width: int = Field(default=1024, ge=64, le=32768)
    """Pixels across the simulated web."""
    lines: int | None = Field(default=None, ge=1, le=10**7)
    """Lines that come again and again: the recording's first, or 4096 of the simulated web."""
    fault_every_lines: int | None = Field(default=None, ge=1, le=ENDLESS)
    """Mean distance of faults of mixed causes, 1000 of them, in lines; none where not given."""


class Trigger(Section):
    """What starts the exposure of a line."""

    mode: Literal["free_run", "encoder", "external"] = "free_run"
    """``free_run``: the camera's own line rate; ``encoder`` and ``external``: a line trigger."""
    source: str | None = None
    """The camera's name of the input (feature TriggerSource), such as ``Encoder0`` or ``Line1``."""
    activation: str | None = None
    """Edge that triggers (feature TriggerActivation), such as ``RisingEdge``."""


class Encoder(Section):
    """The camera's encoder input."""

    source_a: str | None = None
    """Input of signal A (feature EncoderSourceA)."""
    source_b: str | None = None
    """Input of signal B (feature EncoderSourceB)."""
    mode: Literal["FourPhase", "HighResolution"] | None = None
    """How edges are counted (feature EncoderMode)."""
    divider: int | None = Field(default=None, ge=1, le=10**6)
    """Ticks of one line (feature EncoderDivider)."""
    output: str | None = None
    """Which motion triggers (feature EncoderOutputMode), such as ``PositionUp`` or ``Motion``."""
    resolution_um: PositiveFloat | None = None
    """Travel of one tick, in µm (feature EncoderResolution)."""


class Chunks(Section):
    """Data that the camera sends with each block: the evidence for line numbers."""

    enabled: bool = True
    """Switch on those of line counter, encoder, time stamp, block id, line count and missed
    triggers that the camera has."""
    more: tuple[str, ...] = ()
    """Further chunks to switch on, by the camera's names (values of ChunkSelector)."""
    encoder: Literal["ends", "lines"] = "ends"
    """Encoder positions to read: of a block's first and last line, or of every line. With ``ends``,
    encoder resampling takes the travel within a block for even and sees no reversal in it."""


class Supervision(Section):
    """When the camera's process is ended and started again."""

    hang_s: Seconds = 10.0
    """A process that gives no sign of life for so long is killed."""
    stall_s: Seconds | None = None
    """No block for so long, while the camera free-runs or the encoder moves, is a failure; the time
    of 8 blocks, and 2 s at least, where not given."""
    memory_mb: int = Field(default=512, ge=16, le=2**20)
    """A process whose own memory grew by so much is replaced, between two blocks."""
    first_retry_s: float = Field(default=0.5, ge=0.01, le=3600)
    """Pause before the first attempt to start again; doubled with each that fails."""
    longest_retry_s: float = Field(default=30.0, ge=0.01, le=3600)
    """Longest pause between attempts."""
    attempts: int | None = Field(default=None, ge=0, le=10**9)
    """Attempts in a row before the run ends with an error; for ever where not given."""


class GenicamSource(Section):
    """A GenICam camera through a GenTL producer (.cti)."""

    type: Literal["genicam"] = "genicam"
    """Acquire from a camera."""
    producer: FilePath
    """The GenTL producer file (.cti) of the camera's or grabber's vendor."""
    device: Device = Device()
    """Which camera."""
    virtual: VirtualWeb | None = None
    """For the virtual camera's producer: what it sees."""
    camera_is_master: bool = False
    """Set nothing: the camera keeps its own settings. Those given here are compared, and what
    differs is logged."""
    width: Extent | None = None
    """Pixels across; the camera's own setting where not given."""
    block_lines: Extent | None = None
    """Lines per buffer (feature Height); the camera's own setting where not given."""
    pixel_format: PixelFormat | None = None
    """Pixel format; the camera's own setting where not given."""
    line_rate_hz: LineRate | None = None
    """Lines per second (feature AcquisitionLineRate); the camera's own where not given."""
    exposure_us: PositiveFloat | None = None
    """Exposure time of a line, in µs (feature ExposureTime)."""
    gain: float | None = Field(default=None, ge=-1000, le=10**6)
    """Gain, in the camera's own unit (feature Gain)."""
    trigger: Trigger | None = None
    """Line trigger; the camera's own setting where not given."""
    encoder: Encoder = Encoder()
    """The camera's encoder input."""
    partial_timeout_ms: PositiveFloat | None = None
    """A block that got no line for so long is sent as it is, in ms (feature EncoderTimeout or the
    vendor's own)."""
    chunks: Chunks = Chunks()
    """Data that the camera sends with each block."""
    features: dict[Feature, bool | int | float | str] = Field(default={})
    """Further features by the camera's own names, set last, in the order given; selectors are
    features, too."""
    numbering: Literal["auto", "line_counter", "encoder", "block_id", "clock"] = "auto"
    """The best evidence for line numbers that is used; ``auto`` takes the best there is."""
    buffers: int = Field(default=32, ge=3, le=1024)
    """Buffers announced to the producer."""
    ring_blocks: int = Field(default=64, ge=2, le=1024)
    """Blocks of shared memory between the camera's process and the pipeline, 1 GiB at most."""
    ring_overflow: Literal["drop", "wait"] = "drop"
    """A block that finds the ring full is dropped and counted as ``ring_overflow``, or waits in the
    producer's buffers until those run out and the camera counts an under-run."""
    supervision: Supervision = Supervision()
    """When the camera's process is ended and started again."""
    pitch: Pitch = Pitch()
    """Pixel size on the web, where known."""
