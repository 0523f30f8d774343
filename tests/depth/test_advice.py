from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.config import DepthSection
from linescan.depth import read_card
from linescan.depth.advice import HEADROOM, Demand, advise, describe, report_cost
from linescan.depth.card import ModelCard
from linescan.depth.cost import cost, tokens
from linescan.depth.framing import Framing
from linescan.depth.warm_up import FrameCost

CARD = read_card("surface-tiny")
MS_PER_GFLOP = 1.0


def measured(framing: Framing, card: ModelCard = CARD, *, told: bool = True) -> FrameCost:
    """As if a machine did a GFLOP in a millisecond."""
    passes = framing.nominal.passes
    gflop = sum(cost(card, size).gflop for size in passes)
    count = sum(tokens(size) for size in passes)
    return FrameCost(passes, count, gflop if told else None, gflop * MS_PER_GFLOP, "cpu-fp32")


def ask(
    frame: tuple[int, int],
    rate: float | None,
    overlap: int = 0,
    card: ModelCard = CARD,
    **keys: Any,
) -> tuple[tuple[str, ...], DepthSection, Demand]:
    section = DepthSection.model_validate(keys)
    framing = Framing(section, card, frame)
    demand = Demand(frame[0], overlap, rate)
    return advise(measured(framing), demand, section, card, framing), section, demand


def test_what_keeps_up_needs_no_advice() -> None:
    # 12.9 GFLOP: 12.9 ms for 2048 lines, 158,000 lines/s
    for rate in (None, 1000.0, 150_000.0):
        assert ask((2048, 2048), rate)[0] == ()


def test_overlap_counts_as_lines_that_are_not_new() -> None:
    assert ask((2048, 2048), 150_000.0, overlap=128)[0] != ()
    assert Demand(2048, 128, None).lines_per_s(100.0) == 19200.0


@settings(max_examples=20, deadline=None)
@given(
    frame=st.tuples(st.integers(200, 2048), st.integers(512, 16384)),
    rate=st.floats(1e4, 1e7),
    mode=st.sampled_from(["resize", "letterbox", "tile"]),
)
def test_every_suggested_size_and_tile_would_keep_up(
    frame: tuple[int, int], rate: float, mode: str
) -> None:
    ways, section, demand = ask(frame, rate, mode=mode)
    for way in ways:
        changes: dict[str, Any] = {}
        if found := re.match(r"depth.size \[(\d+), (\d+)\]", way):
            changes["size"] = (int(found[1]), int(found[2]))
        elif found := re.match(r"depth.tile (\d+)", way):
            changes["tile"] = int(found[1])
        elif way.startswith("depth.mode resize"):
            changes["mode"] = "resize"
        if changes:
            better = DepthSection.model_validate({**section.model_dump(), **changes})
            ms = measured(Framing(better, CARD, frame)).ms
            assert demand.lines_per_s(ms) * HEADROOM >= rate * 0.999
            assert f"({ms:.3g} ms)" in way


def test_the_largest_input_that_fits_is_suggested() -> None:
    ways, _, demand = ask((1024, 1024), 150_000.0)
    found = re.match(r"depth.size \[(\d+), (\d+)\]", ways[0])
    assert found is not None
    side = int(found[1])
    assert (side, side) == (int(found[1]), int(found[2]))
    larger = cost(CARD, (side + 14, side + 14)).gflop
    assert demand.lines_per_s(larger * MS_PER_GFLOP) * HEADROOM < 150_000.0


def test_less_overlap_longer_frames_and_a_slower_source_are_named() -> None:
    ways, _, _ = ask((2048, 2048), 100_000.0, overlap=1024)
    text = "; ".join(ways)
    needed = 100_000 * 12.9165 / 1000 / HEADROOM
    assert f"frame.overlap {2048 - int(needed) - 1}" in text
    assert f"frame.lines {int(needed) + 1 + 1024} in the same pass" in text
    slowest = int(re.findall(r"a source of at most (\d+) lines/s", text)[0])
    assert slowest == pytest.approx(HEADROOM * 1024 / 12.9165e-3, abs=1)


def test_a_fixed_backend_is_questioned_and_a_static_model_exported_anew() -> None:
    static = dataclasses.replace(CARD, dynamic=False)
    ways, _, _ = ask((2048, 2048), 1e6, card=static, backend="cpu")
    text = "; ".join(ways)
    assert "the model exported with --size" in text
    assert "depth.backend and depth.precision auto" in text
    assert "depth.backend" not in "; ".join(ask((2048, 2048), 1e6)[0])


def test_where_operations_are_not_told_tokens_stand_for_them() -> None:
    section = DepthSection()
    framing = Framing(section, CARD, (1024, 1024))
    demand = Demand(1024, 0, 150_000.0)
    ways = advise(measured(framing, told=False), demand, section, CARD, framing)
    assert ways[0].startswith("depth.size [")


@pytest.mark.parametrize("rate", [20_000.0, 130_000.0])
def test_aligning_goes_by_the_number_of_tiles_and_not_by_their_work(rate: float) -> None:
    """100 ms of the measured passes; nothing of it remains where one pass is suggested."""
    section = DepthSection(mode="tile", tile=1024)
    framing = Framing(section, CARD, (2048, 4096))
    passes = measured(framing)
    slow = dataclasses.replace(passes, ms=passes.ms + 100.0, align_ms=100.0)
    ways = advise(slow, Demand(2048, 0, rate), section, CARD, framing)
    (tile,) = (found for way in ways if (found := re.match(r"depth.tile (\d+) \((.+) ms\)", way)))
    fewer = Framing(section.model_copy(update={"tile": int(tile[1])}), CARD, (2048, 4096))
    share = len(fewer.nominal.passes) / len(passes.passes)
    assert (len(fewer.nominal.passes) == 1) == (rate > 1e5)
    aligning = 100.0 * share if len(fewer.nominal.passes) > 1 else 0.0
    assert float(tile[2]) == pytest.approx(measured(fewer).ms + aligning, rel=0.01)
    text = describe(slow, Demand(2048, 128, None))
    assert " ms (100 of them to align tiles) on cpu-fp32: " in text


def test_the_report_is_one_line_and_a_warning_only_where_needed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    section = DepthSection(mode="tile")
    frame = (2048, 8192)
    found = measured(Framing(section, CARD, frame))
    text = describe(found, Demand(2048, 128, None))
    assert re.match(
        r"depth of a frame: 5 x 252x252 \+ 1 x \d+x\d+, \d+ tokens, [\d.]+ GFLOP, [\d.]+ ms on "
        r"cpu-fp32: [\d.]+ frames/s, \d+ lines/s; the source gives as many as are taken$",
        text,
    )
    unknown = describe(found, Demand(2048, 128, None, paced=True))
    assert unknown.endswith("; the source gives as many as the web's speed makes")
    with caplog.at_level(logging.INFO):
        report_cost(Demand(2048, 128, 1000.0), section, CARD, frame, found)
        assert [r.levelname for r in caplog.records] == ["INFO"]
        report_cost(Demand(2048, 128, 1e6), section, CARD, frame, found)
    assert [r.levelname for r in caplog.records] == ["INFO", "INFO", "WARNING"]
    assert "the source gives 1000000; what would: " in caplog.records[-1].message
