"""The robustness suite with the embedded model, in short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from linescan.config import SimulatedSource, parse
from linescan.evaluation.judging.run import Question
from linescan.evaluation.robustness import picture
from linescan.evaluation.robustness.suite import (
    KEYS,
    Condition,
    Outcome,
    RobustnessError,
    change,
    conditions,
    run,
    to_document,
)
from linescan.evaluation.robustness.table import to_markdown

FRAMES = 2
ASKED = [Condition(), Condition("elevation", "80")]


def question() -> Question:
    settings = ["depth.backend=cpu", "depth.precision=fp32"]
    config = parse("", "test", settings, source=SimulatedSource())
    return Question(("surface-tiny",), config, "scale-shift")


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    told: list[tuple[str, int, int]] = []
    found = list(run(question(), ASKED, FRAMES, lambda *now: told.append(now)))
    assert told == [
        ("simulated:nominal", 1, 4),
        ("simulated:nominal", 2, 4),
        ("simulated:nominal+elevation=80", 3, 4),
        ("simulated:nominal+elevation=80", 4, 4),
    ]
    return found


def test_a_light_from_overhead_shows_no_relief(outcomes: list[Outcome]) -> None:
    nominal, changed = (each.value("rmse_over_sigma") for each in outcomes)
    assert nominal is not None
    assert changed is not None
    assert nominal < 0.8
    assert changed > nominal + 0.1
    moved = change(outcomes[1], outcomes[0])
    assert moved is not None
    assert moved[0] == pytest.approx(changed - nominal)
    assert moved[1] > 0


def test_document_and_table_say_what_came_out(outcomes: list[Outcome]) -> None:
    document = json.loads(json.dumps(to_document(outcomes, complete=True), allow_nan=False))
    assert document["format"] == "linescan-robustness"
    assert document["model"]["name"] == "surface-tiny"
    assert document["frames"] == FRAMES
    first, second = document["results"]
    assert first["factor"] is None
    assert first["rmse_over_sigma_change"] == 0
    assert second["data_set"] == "simulated:nominal+elevation=80"
    assert second["figures"] == {key: outcomes[1].value(key) for key in KEYS}
    lines = to_markdown(outcomes).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {9}
    assert lines[3].startswith("| light elevation | 80 ° | ")


def test_picture_is_written_or_refused(outcomes: list[Outcome], tmp_path: Path) -> None:
    drawn = tmp_path / "curves.png"
    picture.draw(outcomes, drawn)
    assert drawn.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RobustnessError, match="nothing to draw"):
        picture.draw(outcomes[:1], drawn)
    with pytest.raises(RobustnessError, match="cannot be written"):
        picture.draw(outcomes, tmp_path / "missing" / "curves.png")


def test_an_interrupted_condition_is_left_out() -> None:
    def interrupt(_name: str, done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    found: list[Outcome] = []
    with pytest.raises(KeyboardInterrupt):
        _keep(found, run(question(), ASKED, FRAMES, interrupt))
    assert [each.condition for each in found] == ASKED[:1]


def _keep(found: list[Outcome], outcomes: Iterator[Outcome]) -> None:
    """One by one: extend would lose what came before an exception."""
    for outcome in outcomes:
        found.append(outcome)  # noqa: PERF402


def test_conditions_are_the_nominal_scene_and_all_levels() -> None:
    assert len(conditions()) > 40
    some = conditions(["gloss", "surface"])
    assert some[0] == Condition()
    assert {each.factor for each in some[1:]} == {"gloss", "surface"}
    assert "simulated:nominal+surface=woven" in [each.data_set for each in some]
    with pytest.raises(RobustnessError, match="'weather': expected one of elevation, "):
        conditions(["weather"])
