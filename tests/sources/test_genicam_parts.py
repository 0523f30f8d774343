"""The parts of camera acquisition that need no camera: numbering, losses, features, the ring."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.errors import SourceError
from linescan.records import Cause, Loss
from linescan.sources.genicam import ring as ring_module
from linescan.sources.genicam.device import bits_of
from linescan.sources.genicam.features import LINE_RATE, line_rate, put_line_rate
from linescan.sources.genicam.numbering import (
    MAX_PENDING,
    FrameNumbers,
    PendingLosses,
    explain_gap,
)
from linescan.sources.genicam.ring import MAX_SLOTS, Ring, slots_for


@given(
    start=st.integers(1, 65535),
    steps=st.lists(st.integers(1, 1000), max_size=30),
    wraps=st.booleans(),
)
def test_gaps_are_found_across_the_wrap_of_16_bits(
    start: int, steps: list[int], wraps: bool
) -> None:
    numbers = FrameNumbers(8)
    count = start
    assert numbers.missing(count) == 0
    for step in steps:
        count += step
        frame_id = (count - 1) % 65535 + 1 if wraps else count
        assert numbers.missing(frame_id) == step - 1


def test_ids_that_begin_anew_or_are_missing_are_no_gap() -> None:
    numbers = FrameNumbers(8)
    assert [numbers.missing(i) for i in (100, 1, 2)] == [0, 0, 0]
    assert [numbers.missing(i) for i in (None, 7, None, 9)] == [0, 0, 0, 0]
    numbers = FrameNumbers(8)
    assert [numbers.missing(i) for i in (2**40, 5)] == [0, 0]


def test_lines_are_counted_in_blocks() -> None:
    numbers = FrameNumbers(100)
    assert [numbers.take(1), numbers.take(3), numbers.take(1)] == [0, 100, 400]


@given(missing=st.integers(1, 20), incomplete=st.integers(0, 20), under_run=st.integers(0, 20))
def test_a_gap_is_explained_to_the_line(missing: int, incomplete: int, under_run: int) -> None:
    losses = explain_gap(50, 10, missing, incomplete=incomplete, under_run=under_run)
    assert sum(loss.count for loss in losses) == missing * 10
    at = 50
    for loss in losses:
        assert loss.first_line == at
        at += loss.count
    counts = {loss.cause: loss.count // 10 for loss in losses}
    assert counts.get(Cause.INCOMPLETE_BLOCK, 0) == min(incomplete, missing)
    assert counts.get(Cause.UNDER_RUN, 0) <= under_run
    if incomplete + under_run >= missing:
        assert Cause.CAMERA_GAP not in counts


@given(
    kinds=st.lists(
        st.sampled_from([Cause.UNDER_RUN, Cause.CAMERA_GAP, Cause.FORMAT_CHANGE]), max_size=300
    )
)
def test_pending_losses_are_bounded_and_lose_no_line(kinds: list[Cause]) -> None:
    pending = PendingLosses()
    for number, cause in enumerate(kinds):
        pending.add(Loss(10 * number, 10, cause))
    losses = pending.take()
    assert len(losses) <= MAX_PENDING
    assert sum(loss.count for loss in losses) == 10 * len(kinds)
    assert pending.take() == ()


@pytest.mark.parametrize(
    ("name", "bits"),
    [("Mono8", 8), ("Mono10", 10), ("Mono12p", 12), ("Mono12Packed", 12), ("Mono16", 16)],
)
def test_gray_formats(name: str, bits: int) -> None:
    assert bits_of(name) == bits


def test_other_formats_are_refused() -> None:
    with pytest.raises(SourceError, match="RGBa8 is no gray format"):
        bits_of("RGBa8")


class NodeMap:
    """As much of a GenICam node map as setting features needs."""

    def __init__(self, **nodes: Any) -> None:
        self.__dict__.update(nodes)

    def has_node(self, name: str) -> bool:
        return name in self.__dict__

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class IInteger(SimpleNamespace):
    """A whole-number feature, by the name of its class."""


def test_the_line_rate_goes_through_other_names_and_units() -> None:
    enable = SimpleNamespace(value=False)
    standard = NodeMap(
        AcquisitionLineRateEnable=enable,
        AcquisitionLineRate=SimpleNamespace(value=1000.0, unit="Hz"),
    )
    put_line_rate(standard, 20000.0)
    assert standard.AcquisitionLineRate.value == 20000.0
    assert enable.value is True
    kilo = NodeMap(AcquisitionLineRateAbs=SimpleNamespace(value=1.0, unit="kHz"))
    put_line_rate(kilo, 20000.0)
    assert kilo.AcquisitionLineRateAbs.value == pytest.approx(20.0)
    assert line_rate(kilo) == pytest.approx(20000.0)
    whole = NodeMap(LineRate=IInteger(value=5, unit="Hz"))
    put_line_rate(whole, 19999.6)
    assert whole.LineRate.value == 20000
    assert isinstance(whole.LineRate.value, int)
    with pytest.raises(SourceError, match=" or ".join(LINE_RATE)):
        put_line_rate(NodeMap(), 20000.0)


def test_the_ring_is_shared_by_name_and_removed() -> None:
    ring = Ring(3, 4, 5, "uint16")
    other = Ring(3, 4, 5, "uint16", name=ring.name)
    other.slot(2)[:] = 777
    assert (ring.slot(2) == 777).all()
    assert (ring.slot(1) == 0).all()
    name = ring.name
    other.close()
    ring.close()
    ring.close()
    with pytest.raises(ValueError, match="closed"):
        ring.slot(0)
    with pytest.raises(FileNotFoundError):
        Ring(3, 4, 5, "uint16", name=name)


def test_the_ring_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "RING_BYTES", 10_000)
    assert slots_for(1) == MAX_SLOTS
    assert slots_for(1000) == 10
    assert slots_for(5000) == 2
    with pytest.raises(SourceError, match="set fewer 'block_lines'"):
        slots_for(5001)
    usage = SimpleNamespace(free=4000)
    monkeypatch.setattr(ring_module, "RING_BYTES", 10**9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert slots_for(1000) == 2
