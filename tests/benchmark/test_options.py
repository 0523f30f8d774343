"""The benchmark's command line: what it takes, and what it refuses in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.options import Options, parse


def test_without_options_the_embedded_model_is_measured() -> None:
    assert parse([]) == Options(model="surface-tiny")


def test_all_promised_options_are_taken(tmp_path: Path) -> None:
    given = (
        f"--model small --size 392x518 --frame 2048x4096 --rounds 7 --backend openvino-bf16 "
        f"--backend cpu --backend cpu --json {tmp_path / 'a.json'} --compare old.json"
    )
    options = parse(given.split())
    assert options.model == "small"
    assert options.size == (392, 518)
    assert options.frame == (2048, 4096)
    assert options.rounds == 7
    assert options.backends == ("openvino-bf16", "cpu")
    assert options.json == tmp_path / "a.json"
    assert options.compare == Path("old.json")


@pytest.mark.parametrize(
    ("given", "architecture"),
    [
        ("--random-weights", "small"),
        ("--random-weights base", "base"),
        ("--model large --random-weights", "large"),
        ("--random-weights --model base --size 518", "base"),
        ("--random-weights small --model small", "small"),
    ],
)
def test_random_weights_take_the_models_name_or_their_own(given: str, architecture: str) -> None:
    options = parse(given.split())
    assert options.random_weights == architecture
    assert options.model is None


def test_quick_shortens_what_is_not_said() -> None:
    quick, said = parse(["--quick"]), parse(["--quick", "--rounds", "9", "--frames", "0"])
    assert (quick.rounds, quick.warm_up, quick.frames) == (3, 1, 6)
    assert (said.rounds, said.frames) == (9, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--size 500", "multiples of 14"),
        ("--size 14", "from 28 to 4088"),
        ("--size 518x", "expected a side such as 518"),
        ("--frame 2048", "expected rows and columns such as 2048x4096"),
        ("--frame 20x99999", "64 to 32768 columns"),
        ("--rounds 0", "whole number from 1 to 10000"),
        ("--rounds 2.5", "whole number"),
        ("--rounds many", "whole number"),
        ("--frames -1", "from 0 to"),
        ("--threads 0", "from 1 to 1024"),
        ("--tolerance 1.5", "a number from 1e-06 to 1"),
        ("--tolerance nan", "a number from 1e-06 to 1"),
        ("--tolerance 0", "a number from 1e-06 to 1"),
        ("--random-weights huge", "invalid choice"),
        ("--nonsense", "unrecognized arguments"),
    ],
)
def test_a_wrong_option_is_named(
    given: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        parse(given.split())
    assert error.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--model base --random-weights small", "name two models"),
        ("--model surface-tiny --random-weights", "knows the architectures small, base, large"),
        ("--json nowhere/at/all.json", "there is no folder nowhere/at"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given: str, words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        parse(given.split())


@pytest.mark.parametrize("kind", ["json", "markdown", "plot"])
def test_a_folder_is_no_file_to_write(kind: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="it is a folder: name a file in it"):
        parse([f"--{kind}", str(tmp_path)])


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert error.value.code == 0
    for words in ("Ctrl-C", "examples:", "--random-weights", "70 %", "Compare ratios"):
        assert words in text
