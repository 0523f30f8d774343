"""What one setting is called by different cameras: the standard's name (SFNC 2.7) first.

The vendors' names come from their manuals: Basler racer, Teledyne DALSA Linea, Hikrobot, LUCID.
Units are not assumed: a feature's own unit is read from the camera.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alias:
    """Names of one setting, and the unit that its values are given in (None: no unit)."""

    names: tuple[str, ...]
    unit: str | None = None


WIDTH = Alias(("Width",))
HEIGHT = Alias(("Height", "ImageHeight"))
PIXEL_FORMAT = Alias(("PixelFormat",))
EXPOSURE = Alias(("ExposureTime", "ExposureTimeAbs"), "us")
GAIN = Alias(("Gain", "GainAbs", "GainRaw"))
LINE_RATE = Alias(
    ("AcquisitionLineRate", "AcquisitionLineRateAbs", "LineRate", "ResultingLineRateAbs"), "Hz"
)
LINE_RATE_ENABLE = Alias(
    ("AcquisitionLineRateEnable", "LineRateEnable", "AcquisitionLineRateControlEnable")
)
TRIGGER_SELECTOR = Alias(("TriggerSelector",))
TRIGGER_MODE = Alias(("TriggerMode",))
TRIGGER_SOURCE = Alias(("TriggerSource",))
TRIGGER_ACTIVATION = Alias(("TriggerActivation",))
ENCODER_A = Alias(("EncoderSourceA", "rotaryEncoderInputLineA", "ShaftEncoderModuleLineSource"))
ENCODER_B = Alias(("EncoderSourceB", "rotaryEncoderInputLineB"))
ENCODER_MODE = Alias(("EncoderMode", "rotaryEncoderMode", "EncoderCounterMode"))
ENCODER_DIVIDER = Alias(
    ("EncoderDivider", "rotaryEncoderDivider", "FrequencyConverterPostDivider", "PreDivider")
)
ENCODER_OUTPUT = Alias(
    ("EncoderOutputMode", "rotaryEncoderOutputMode", "EncoderTriggerMode", "ShaftEncoderModuleMode")
)
ENCODER_RESOLUTION = Alias(("EncoderResolution", "rotaryEncoderResolution"), "um")
ENCODER_VALUE = Alias(("EncoderValue", "ShaftEncoderModuleCounter", "EncoderCounter"))
PARTIAL_TIMEOUT = Alias(
    ("EncoderTimeout", "BslLineTimeout", "FrameTimeoutAbs", "FrameTimeoutTime"), "us"
)
PARTIAL_TIMEOUT_ENABLE = Alias(
    ("BslLineTimeoutEnable", "FrameTimeoutEnable", "PartialImageOutputMode")
)

LINE_START = ("LineStart", "LineTrigger", "lineStart")
"""What the line trigger is called among the triggers."""
ENCODER_SOURCES = (
    "Encoder0",
    "Encoder1",
    "rotaryEncoder1",
    "EncoderModuleOut",
    "ShaftEncoderModuleOut",
)
"""What the encoder is called among the sources of the line trigger."""
LINE_SOURCES = ("Line0", "Line1")
"""What inputs are called among the sources of the line trigger."""

IN_BASE_UNIT = {
    "hz": 1.0,
    "khz": 1e3,
    "mhz": 1e6,
    "s": 1e6,
    "ms": 1e3,
    "us": 1.0,
    "µs": 1.0,
    "μs": 1.0,
    "ns": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "mm": 1e3,
    "nm": 1e-3,
}
"""Hz, µs or µm of one of a feature's own unit; a unit that is not here counts as these."""
