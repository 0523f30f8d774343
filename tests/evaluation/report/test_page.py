"""The page: everything in one file, nothing from elsewhere, nothing that breaks out of the text."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from rich.console import Console

from linescan.evaluation.figures.objects import Fate, ObjectTally
from linescan.evaluation.judging.catalogue import FIGURES, Absent, Value
from linescan.evaluation.judging.frames import FrameFigures
from linescan.evaluation.judging.gallery import Panel, Shown
from linescan.evaluation.judging.models import About
from linescan.evaluation.judging.verdict import Verdict
from linescan.evaluation.report import to_document, to_page, to_tables
from linescan.evaluation.report.document import over_best_baseline
from linescan.evaluation.report.words import figure_text

NASTY = "a<script>alert(1)</script>&'\""


def verdict(name: str, score: float, *, baseline: bool = False) -> Verdict:
    """A verdict by hand; what is known of no frame is absent."""
    whole: dict[str, Value] = {f.key: Absent("by hand") for f in FIGURES if not f.frames}
    frames: dict[str, Value] = {f.key: Absent("no unit") for f in FIGURES if f.frames}
    tally = ObjectTally()
    tally.add([Fate(True, True, 5.0, 0.4), Fate(False, False, 40.0, None)])
    picture = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    return Verdict(
        data_set=NASTY,
        data_set_about="by hand",
        unit="um",
        model=About(name, None, "none", "height", "relative", 0.0, baseline=baseline),
        alignment={"mode": "scale-shift", "text": "each frame by itself"},
        frames=[
            FrameFigures(str(n), frames | {"rmse_over_sigma": score + n, "rmse": 0.02}, None)
            for n in range(3)
        ],
        lines=300,
        whole=whole | {"mask_iou": 0.75},
        tally=tally,
        shown=[Shown("best", NASTY, 0.25, (Panel("image", picture),))],
    )


VERDICTS = [verdict("mine", 0.2), verdict("baseline:flat", 1.0, baseline=True)]


class Tags(HTMLParser):
    """Collects tags, and checks that they close as they open."""

    VOID = ("meta", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one."""
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    page = to_page(VERDICTS)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not [tag for tag, _ in tags.seen if tag in ("script", "link", "iframe")]
    assert not re.search(r"https?://|//cdn|url\(|@import", page)
    sources = [attributes["src"] for tag, attributes in tags.seen if tag == "img"]
    assert len(sources) == 2
    for source in sources:
        assert source is not None
        kind, data = source.split(",", 1)
        assert kind == "data:image/jpeg;base64"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert decoded.shape == (8, 8, 3)


def test_figures_stand_with_their_meaning_and_absent_ones_with_their_reason() -> None:
    page = to_page(VERDICTS)
    assert "each frame by itself" in page
    assert '<td class="n best">1.20' in page  # the mean over three frames
    assert "RMSE, µm" in page
    assert "error over the spread of the true height" in page
    assert "mask IoU" in page
    assert "<li>AbsRel, δ1" in page
    assert ": no unit</li>" in page
    assert "1.00 (1)" in page  # recall of the one true object
    assert "Ended early" not in page
    assert "Ended early" in to_page([replace(VERDICTS[0], complete=False)])


def test_the_table_says_the_same() -> None:
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as captured:
        for part in to_tables(VERDICTS):
            console.print(part)
    text = captured.get()
    for words in ("RMSE / σ", "1.20", "2.00", "RMSE, µm", "over the best baseline", "0.600"):
        assert words in text
    assert "alignment: each frame by itself" in text
    assert "false alarms / 1,000 lines: by hand" in text


def test_a_model_is_held_against_the_best_baseline_of_its_data_set() -> None:
    mine = VERDICTS[0]
    assert over_best_baseline(mine, VERDICTS) == pytest.approx(0.6)
    better = verdict("baseline:blur", 0.5, baseline=True)
    assert over_best_baseline(mine, [*VERDICTS, better]) == pytest.approx(0.8)
    elsewhere = replace(better, data_set="other")
    assert over_best_baseline(mine, [mine, elsewhere]) is None
    assert over_best_baseline(VERDICTS[1], VERDICTS) is None


def test_the_scale_of_a_data_set_is_the_median() -> None:
    one = verdict("mine", 0.2)
    for frame, scale in zip(one.frames, (1.0, 2.0, 100.0), strict=True):
        frame.values["scale"] = scale
    assert one.value("scale") == 2.0
    (result,) = to_document([one])["results"]
    assert result["figures"]["scale"] == 2.0
    assert result["figures"]["rmse_over_sigma"] == pytest.approx(1.2)
    assert result["spread"]["rmse_over_sigma"] == pytest.approx(
        {"mean": 1.2, "median": 1.2, "min": 0.2, "max": 2.2, "frames": 3}
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1.00"), (0.01234, "0.0123"), (123.4, "123"), (1e-9, "1.00e-09")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert figure_text(value) == text
