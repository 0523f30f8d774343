from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import openvino
import pytest

from linescan.depth import choice as choice_module
from linescan.depth import contest as contest_module
from linescan.depth import open_engine, read_card
from linescan.depth.backends import openvino as openvino_module
from linescan.depth.backends.base import LoadedModel, Setup
from linescan.depth.cache import Cache
from linescan.depth.candidates import REFERENCE, Candidate, candidates, load
from linescan.depth.card import ModelCard
from linescan.depth.choice import Chooser
from linescan.depth.contest import Contest
from linescan.depth.gate import Gate
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE

OPENVINO = Candidate("openvino", "fp32")
NO_BF16 = not openvino_module.has_bf16(openvino.Core())


class Memory:
    """A loader that runs out of memory at OpenVINO where it has to share; real engines else.

    Args:
        most: engines that fit beside one of OpenVINO's.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.engines: list[LoadedModel] = []
        self.tries = 0

    @property
    def open(self) -> list[LoadedModel]:
        return [each for each in self.engines if not each._closed]

    def __call__(self, candidate: Candidate, card: ModelCard, setup: Setup) -> LoadedModel:
        if candidate.backend == "openvino":
            self.tries += 1
            if len(self.open) > self.most:
                raise ModelError("failed to load: out of memory (std::bad_alloc)")
        self.engines.append(load(candidate, card, setup))
        return self.engines[-1]


def contest_of(path: Path, cache: Path, wanted: list[Candidate]) -> Chooser:
    return Chooser(read_card(path), Setup(SIZE, 1), wanted, 0.02, Cache(cache))


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest_module, "settled", lambda _: True)


def fixed_times(**fast: float) -> Any:
    """A race in which the named engines, with ``_`` for ``-``, need so many ms, others 50."""
    named = {name.replace("_", "-", 1): ms for name, ms in fast.items()}
    return lambda engines, *_: {name: [named.get(name, 50.0)] * 3 for name in engines}


def test_every_precision_that_passes_takes_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "linescan.depth")
    card = read_card("surface-tiny")
    wanted = [c for c in candidates(card) if not c.on_gpu]
    chooser = Chooser(card, Setup((56, 56), 1), wanted, 0.5, Cache(tmp_path))
    engine, choice = chooser.open()
    engine.close()
    assert choice.untried == []
    assert {c.name for c in wanted} == {*choice.ms, *choice.refused}
    assert {"openvino-fp32", "cpu-fp32"} <= set(choice.ms)
    assert NO_BF16 or {"openvino-bf16", "openvino-bf16_mixed"} <= set(choice.ms)
    (line,) = [r.getMessage() for r in caplog.records if " runs on " in r.getMessage()]
    for name in choice.ms:
        assert f"{name} {choice.ms[name]:.1f} ms" in line


@pytest.mark.skipif(NO_BF16, reason="no narrower precision to win against")
def test_fp32_wins_against_bf16_of_its_own_backend_where_it_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contest_module, "race", fixed_times(openvino_fp32=1.0, openvino_bf16=2.0))
    engine = open_engine("surface-tiny", size=(56, 56), threads=1, cache=tmp_path)
    engine.close()
    assert engine.name == "openvino-fp32"


def test_fp32_is_not_built_for_minutes_where_half_the_bits_passed() -> None:
    """The narrow ones of TensorRT race each other; a fault of them leaves fp32 its chance."""
    rt = [
        Candidate("tensorrt", "fp16"),
        Candidate("tensorrt", "bf16"),
        Candidate("tensorrt", "fp32"),
    ]
    cuda = [Candidate("cuda", "fp16"), Candidate("cuda", "fp32")]

    class Slow:
        reference_ms = 100.0

    for passing, tried in ((set(rt) | set(cuda), [*rt[:2], *cuda]), (set(cuda), [*rt, *cuda])):

        def load_checked(candidate: Candidate, _: Gate, ok: set[Candidate] = passing) -> Any:
            if candidate not in ok:
                raise ModelError("no")
            return object(), 50.0

        contest = Contest(cast(LoadedModel, None), [*rt, *cuda], 0.02, load_checked)
        found = []
        for candidate in contest._worth_trying(cast(Gate, Slow)):
            found.append(candidate)
            contest._try(candidate, cast(Gate, Slow))
        assert found == tried


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize("wanted", [[OPENVINO, REFERENCE], [REFERENCE, OPENVINO]])
@pytest.mark.parametrize("wins", [True, False])
def test_what_ran_out_of_memory_is_tried_again_alone(
    handmade: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: list[Candidate],
    wins: bool,
) -> None:
    memory = Memory(most=0)
    monkeypatch.setattr(choice_module, "load", memory)
    check = Gate.check
    pace = 1e-6 if wins else 1e6
    monkeypatch.setattr(
        Gate, "check", lambda gate, each: check(gate, each) * (pace if each.backend != "cpu" else 1)
    )
    chooser = contest_of(handmade, tmp_path, wanted)
    engine, choice = chooser.open()
    assert engine.name == ("openvino-fp32" if wins else "cpu-fp32")
    assert [each.name for each in choice.ranked] == sorted(choice.ms, key=choice.ms.__getitem__)
    assert set(choice.ms) == {"openvino-fp32", "cpu-fp32"}
    assert choice.refused == {}
    assert memory.open == [engine]
    assert memory.tries == (3 if wins else 2)  # beside others, alone, and to stay
    assert len(list((tmp_path / "choices").glob("*.json"))) == 1
    engine.close()


def test_what_does_not_fit_alone_either_is_refused_and_the_choice_not_remembered(
    handmade: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = Memory(most=-1)
    monkeypatch.setattr(choice_module, "load", memory)
    engine, choice = contest_of(handmade, tmp_path, [OPENVINO, REFERENCE]).open()
    assert engine.name == "cpu-fp32"
    assert "out of memory" in choice.refused["openvino-fp32"]
    assert memory.tries == 2
    assert memory.open == [engine]
    assert list((tmp_path / "choices").glob("*.json")) == []
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("openvino-fp32 is not used: failed to load: out of memory" in w for w in warned)
    engine.close()
    with pytest.raises(ModelError, match="out of memory"):
        contest_of(handmade, tmp_path, [OPENVINO]).open()
    assert memory.open == []


@pytest.mark.parametrize(
    ("said", "refused"), [("driver gone", True), ("out of memory (std::bad_alloc)", False)]
)
def test_an_engine_that_fails_in_the_race_leaves_it_to_the_others(
    said: str, refused: bool, handmade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(most=9)
    monkeypatch.setattr(choice_module, "load", memory)
    really = openvino_module.OpenVinoEngine._run
    runs = 0

    def run(engine: Any, planes: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs == 4:  # after the gate's three images
            raise RuntimeError(said)
        return really(engine, planes)

    monkeypatch.setattr(openvino_module.OpenVinoEngine, "_run", run)
    engine, choice = contest_of(handmade, tmp_path, [OPENVINO, REFERENCE]).open()
    assert memory.open == [engine]
    if refused:
        assert engine.name == "cpu-fp32"
        assert said in choice.refused["openvino-fp32"]
        assert choice.ranked == [REFERENCE]
    else:
        assert choice.refused == {}
        assert set(choice.ranked) == {OPENVINO, REFERENCE}
        assert memory.tries >= 2
    engine.close()
