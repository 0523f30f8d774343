"""The model that is shipped keeps what its page promises, on frames that no training has seen."""

from __future__ import annotations

import numpy as np

from linescan.config import RecordingSource, SimulatedSource, parse
from linescan.depth import find, read_card
from linescan.evaluation.datasets import SimulatedFrames
from linescan.evaluation.judging.run import Question, judge
from linescan.evaluation.report.document import over_best_baseline
from linescan.pipeline.chain import set_up, through
from linescan.pipeline.factory import processing_stages
from linescan.records import Convention, Frame
from linescan.simulation import SimulatedWeb, preset
from linescan.sources import SourceInfo

FRAMES = 6
MOST_BYTES = 30_000_000


def test_it_is_embedded_small_and_free_to_use() -> None:
    path = find("surface-tiny").path
    assert path.stat().st_size <= MOST_BYTES
    card = read_card("surface-tiny")
    assert (card.licence, card.convention, card.dynamic) == ("Apache-2.0", Convention.HEIGHT, True)
    assert card.noise_floor > 0
    assert card.verification["max_error"] < card.verification["bound"]


def test_it_beats_both_baselines_on_held_out_frames() -> None:
    models = ("surface-tiny", "baseline:flat", "baseline:blur")
    config = parse("", "test", ["depth.backend=cpu"], source=SimulatedSource())
    question = Question(models, config, "scale-shift", frames=FRAMES)
    verdicts = judge(SimulatedFrames("simulated:held-out"), question, lambda *_: None)
    ratio = over_best_baseline(verdicts[0], verdicts)
    assert ratio is not None
    assert ratio <= 0.7  # 0.61 on these six, among the harder ones
    assert verdicts[0].value("right_sign") == 1.0


def objects_found(kind: str, seed: int) -> int:
    """Objects that the default settings find on one frame of a simulated web."""
    config = parse("", "test", ["depth.backend=cpu"], source=RecordingSource(path="unused"))  # type: ignore[arg-type]
    stages = processing_stages(config, SourceInfo("test", width=512, across_mm=0.2, along_mm=0.2))
    pixels = SimulatedWeb(preset(kind, seed=seed, width=512)).lines(0, 512).pixels
    frame = Frame(pixels, 0, np.ones(512, np.bool_), 0, 0)
    with set_up(stages):
        (inspection,) = through(stages, frame)
    return len(inspection.segmentation.objects)


def test_it_sees_relief_and_overlooks_print_of_the_same_shapes() -> None:
    seeds = range(3)
    parts = sum(objects_found("parts", seed) for seed in seeds)
    printed = sum(objects_found("print", seed) for seed in seeds)
    assert parts >= 15
    assert printed <= parts / 5
