"""The report says what the figures say, and overwrites nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from linescan.errors import LinescanError
from linescan.evaluation.gray_rgb.colour import Skipped
from linescan.evaluation.gray_rgb.compare import PictureScore, Shown, Truth, compare
from linescan.evaluation.gray_rgb.page import markdown, sentences
from linescan.evaluation.gray_rgb.report import (
    FIGURES,
    PAGE,
    SHEET,
    About,
    as_data,
    report_folder,
    settled,
    write_report,
)
from linescan.evaluation.gray_rgb.run import Comparison
from linescan.evaluation.gray_rgb.verdict import LEAST_PICTURES, judge
from linescan.pictures.sheet import GAP, TILE_WIDTH
from linescan.version import __version__
from tests.evaluation.gray_rgb.handmade import LUMA, open_sums, picture, score

ABOUT = About(
    model="small",
    source="depth-anything/Depth-Anything-V2-Small-hf",
    licence="Apache-2.0",
    convention="disparity",
    pictures="holiday",
    simulated=False,
    engine="cpu-fp32",
    device="CPU, 2 threads",
    size=(518, 518),
    deviations=(0.0, None),
    published_small=True,
)


def data(scores: list[PictureScore], about: About = ABOUT, wanted: int | None = None) -> Any:
    comparison = Comparison(len(scores) if wanted is None else wanted, scores)
    return json.loads(json.dumps(as_data(comparison, about, judge(scores))))


def test_the_words_follow_the_figures() -> None:
    small = " ".join(sentences(data([score(0.01, ratios=(0.5, 0.5))] * LEAST_PICTURES)))
    assert "The difference is negligible" in small
    assert "at least 20 % faster" in small
    assert "this settles the claim" in small
    large = " ".join(sentences(data([score(0.7)] * LEAST_PICTURES)))
    assert "The difference is not negligible" in large
    assert "0.700 σ (median; worst 0.700)" in large
    assert "no faster" in large


@pytest.mark.parametrize(
    ("change", "count", "why"),
    [
        ({"published_small": False, "source": "final"}, LEAST_PICTURES, "weights are `final`"),
        ({"simulated": True}, LEAST_PICTURES, "simulated, not photographs"),
        ({}, LEAST_PICTURES - 1, "are an indication"),
    ],
)
def test_only_photographs_enough_of_them_and_the_weights_of_small_settle_the_claim(
    change: dict[str, Any], count: int, why: str
) -> None:
    scores = [score(0.01)] * count
    about = dataclasses.replace(ABOUT, **change)
    assert not settled(about, judge(scores))
    said = sentences(data(scores, about))[-1]
    assert "does not settle" in said
    assert why in said


def test_the_page_lists_each_picture_and_what_was_skipped() -> None:
    odd = dataclasses.replace(score(0.25, same_sign=False), name="a|b.png")
    comparison = Comparison(3, [score(0.01), odd], [Skipped("gray.png", "it is gray")])
    page = markdown(as_data(comparison, ABOUT, judge(comparison.scores)), SHEET)
    assert "| some.png | 100 × 200 | 30 | 0.0100 | 0.0050 | 0.0100 | 0.9900 | yes |" in page
    assert "| a\\|b.png | 100 × 200 | 30 | 0.2500 | 0.0050 | 0.0100 | 0.9900 | **no** |" in page
    assert "- gray.png: it is gray" in page
    assert "Ended early" not in page
    assert f"linescan {__version__}" in page


def test_tables_have_as_many_cells_in_each_row() -> None:
    page = markdown(data([score(0.01, truth=Truth(0.4, 0.5))] * 2), SHEET)
    tables = [part for part in page.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({row.count("|") for row in table.splitlines()}) == 1, table
    assert "0.400 from gray, 0.500 from RGB" in page


def test_an_early_end_is_said() -> None:
    figures = data([score(0.01)] * 2, wanted=9)
    assert not figures["complete"]
    assert "**Ended early**: 2 of 9 pictures." in markdown(figures, SHEET)


def shown(tmp_path: Path, gray: float) -> Shown:
    result = compare(picture(), open_sums(tmp_path, LUMA, gray), 1)
    assert isinstance(result, Shown)
    return result


def test_all_three_files_are_written(tmp_path: Path) -> None:
    comparison = Comparison(1)
    comparison.add(shown(tmp_path, 1.0))
    out = tmp_path / "report"
    with report_folder(out):
        figures = write_report(out, comparison, ABOUT)
    assert sorted(p.name for p in out.iterdir()) == sorted([PAGE, FIGURES, SHEET])
    assert json.loads((out / FIGURES).read_text()) == json.loads(json.dumps(figures))
    assert f"]({SHEET})" in (out / PAGE).read_text()


def test_the_sheet_shows_a_difference_where_there_is_one(tmp_path: Path) -> None:
    """The last tile is dark for the same depth, and coloured for another one."""
    same, other = shown(tmp_path, 1.0), shown(tmp_path, 1.0)
    shifted = other.gray_depth.copy()
    shifted[:, : shifted.shape[1] // 2] += other.rgb_depth.std()
    tiles = []
    for n, one in enumerate((same, dataclasses.replace(other, gray_depth=shifted))):
        comparison = Comparison(1, [one.score], [], [one])
        write_report(tmp_path / str(n), comparison, ABOUT)
        sheet = cv2.imread(str(tmp_path / str(n) / SHEET))
        assert sheet is not None
        left = GAP + 4 * (TILE_WIDTH + GAP)
        tiles.append(sheet[-200:-20, left + 10 : left + TILE_WIDTH - 10])
    assert tiles[0].max() < 80
    assert tiles[1][:, :100].max(axis=2).min() > 200
    assert tiles[1][:, -100:].max() < 80


def test_a_folder_with_something_in_it_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(LinescanError, match="nothing is overwritten"), report_folder(tmp_path):
        pass
    assert (tmp_path / "mine.txt").read_text() == "precious"
    with pytest.raises(LinescanError, match="cannot be"), report_folder(tmp_path / "mine.txt"):
        pass


def test_a_failure_leaves_no_new_folder(tmp_path: Path) -> None:
    for folder in (tmp_path / "new", tmp_path):
        with pytest.raises(RuntimeError, match="later"), report_folder(folder):
            raise RuntimeError("later")
    assert not (tmp_path / "new").exists()
    assert tmp_path.exists()


def test_nothing_compared_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    skipped = [Skipped(f"{n}.png", "it is gray") for n in range(5)]
    with pytest.raises(LinescanError, match=r"0\.png: it is gray; .*; and 2 more"):
        write_report(tmp_path, Comparison(5, [], skipped), ABOUT)
    with pytest.raises(LinescanError, match="ended early"):
        write_report(tmp_path, Comparison(5), ABOUT)
    assert not any(tmp_path.iterdir())
