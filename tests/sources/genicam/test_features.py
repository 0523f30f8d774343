"""Setting a camera up: names, units, types, ranges, and what it says back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam.aliases import EXPOSURE, GAIN, LINE_RATE, Alias
from linescan.sources.genicam.configure import Setting, differences, settings_of
from linescan.sources.genicam.features import get, put
from tests.sources.genicam.virtual import HEIGHT, Rig

MakeRig = Callable[..., Rig]


class NodeMap:
    """As much of a GenICam node map as setting features needs, with vendors' own names and units.

    The virtual camera has the standard's names; those of others cannot be had without them.
    """

    def __init__(self, **nodes: Any) -> None:
        self.__dict__.update(nodes)

    def has_node(self, name: str) -> bool:
        return name in self.__dict__

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class IInteger(SimpleNamespace):
    """A whole-number feature, by the name of its class."""


class IFloat(SimpleNamespace):
    """A feature with a number."""


class IBoolean(SimpleNamespace):
    """A feature that is true or false."""


def test_values_go_through_other_names_and_units() -> None:
    kilo = NodeMap(AcquisitionLineRateAbs=IFloat(value=1.0, unit="kHz", min=0.1, max=80.0))
    put(kilo, LINE_RATE, 20000.0)
    assert kilo.AcquisitionLineRateAbs.value == pytest.approx(20.0)
    assert get(kilo, LINE_RATE) == pytest.approx(20000.0)
    whole = NodeMap(LineRate=IInteger(value=5, unit="Hz", min=1, max=10**5))
    put(whole, LINE_RATE, 19999.6)
    assert whole.LineRate.value == 20000
    assert isinstance(whole.LineRate.value, int)
    milli = NodeMap(ExposureTime=IFloat(value=1.0, unit="ms", min=0.001, max=10.0))
    put(milli, EXPOSURE, 50.0)
    assert milli.ExposureTime.value == pytest.approx(0.05)
    raw = NodeMap(GainRaw=IInteger(value=0, min=0, max=100))
    put(raw, GAIN, 12.0)
    assert raw.GainRaw.value == 12


@pytest.mark.parametrize(
    ("node", "value", "said"),
    [
        (IInteger(value=1, min=0, max=9), "many", "X is a whole number; 'many' is not"),
        (IFloat(value=1.0, min=0, max=9), True, "X is a number; True is not"),
        (IBoolean(value=True), "yes", "X is true or false; 'yes' is not"),
        (IInteger(value=1, min=0, max=9), 10, "X cannot be 10: it takes 0 to 9"),
        (IFloat(value=1.0, min=0.0, max=9.0, unit="dB"), 9.5, "it takes 0.0 to 9.0 dB"),
    ],
)
def test_what_does_not_fit_is_said(node: Any, value: object, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        put(NodeMap(X=node), Alias(("X",)), value)
    assert said in str(caught.value)


def test_what_was_rounded_a_lot_is_a_difference() -> None:
    nodes = NodeMap(LineRate=IInteger(value=20001, unit="Hz"))
    assert not list(differences(nodes, [Setting(LINE_RATE, 20000.0, "source.line_rate_hz")]))
    nodes.LineRate.value = 19000
    (said,) = differences(nodes, [Setting(LINE_RATE, 20000.0, "source.line_rate_hz")])
    assert said.startswith("'source.line_rate_hz' asks for 20000.0 Hz, the camera's")
    assert said.endswith("is 19000.0 Hz")


def test_an_encoder_trigger_needs_a_source_that_the_camera_has() -> None:
    nodes = NodeMap(
        TriggerMode=SimpleNamespace(value="Off"),
        TriggerSource=SimpleNamespace(value="Line9", symbolics=("Line8", "Line9")),
    )
    section = GenicamSource.model_validate({"producer": "x.cti", "trigger": {"mode": "encoder"}})
    with pytest.raises(SourceError, match="TriggerSource takes Line8, Line9"):
        list(settings_of(nodes, section))


def test_the_whole_line_scan_set_up_reaches_the_camera(rig: MakeRig, caplog: Any) -> None:
    seen = rig(
        exposure_us=20.0,
        gain=3.0,
        line_rate_hz=9000,
        trigger={"mode": "encoder"},
        encoder={"mode": "HighResolution", "divider": 4, "resolution_um": 12.5, "output": "Motion"},
        partial_timeout_ms=30.0,
        features={"DeviceUserID": "left", "TriggerSelector": "FrameStart", "TriggerMode": False},
    )
    seen.play(lambda r: r.after >= 5 * HEIGHT)
    description = seen.camera.description
    assert description.line_rate_hz == 9000.0
    assert seen.camera._opened is not None
    assert seen.camera._opened.triggered is True
    assert "asks for" not in caplog.text


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"features": {"Gaim": 3}}, "'source.features.Gaim': the camera has no feature Gaim"),
        ({"features": {"WidthMax": 3}}, "WidthMax cannot be"),
        ({"gain": 30.0}, "'source.gain': the camera's Gain cannot be 30.0: it takes 0.0 to 24.0"),
        ({"exposure_us": 1e6}, "ExposureTime cannot be 1000000.0: it takes 1.0 to 10000.0 us"),
        ({"features": {"TriggerMode": "Sometimes"}}, "it takes Off, On"),
        ({"features": {"Height": "tall"}}, "Height is a whole number; 'tall' is not"),
        ({"trigger": {"mode": "external", "source": "Line7"}}, "it takes Line0, Encoder0, Soft"),
    ],
)
def test_what_the_camera_refuses_is_one_sentence(
    rig: MakeRig, section: dict[str, Any], said: str
) -> None:
    seen = rig(**section)
    with pytest.raises(SourceError) as caught:
        seen.camera.open(lambda _: None)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_camera_that_is_its_own_master_is_compared_and_left_alone(
    rig: MakeRig, caplog: Any
) -> None:
    seen = rig(gain=9.0, block_lines=32, camera_is_master=True)
    seen.play(lambda r: r.after >= 5 * HEIGHT)
    assert {block.valid_rows for block in seen.blocks} == {HEIGHT}
    assert "'source.gain' asks for 9.0, the camera's Gain is 0.0" in caplog.text
    assert f"'source.block_lines' asks for 32, the camera's Height is {HEIGHT}" in caplog.text
