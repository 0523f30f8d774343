"""``linescan model`` as users run it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import write_model

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random checkpoint."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "steel")


@pytest.fixture(scope="module")
def exported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It as a file of 70 x 98."""
    from linescan.depth.export import export

    return export(folder, tmp_path_factory.mktemp("model") / "steel.onnx", size=(70, 98)).path


@pytest.fixture
def mine(exported: Path, tmp_path: Path) -> Path:
    """A copy with its record that a test may break."""
    for path in exported.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / exported.name


def test_the_list_names_metric_variants_and_their_licences(linescan: Run) -> None:
    listed = linescan("model", "list")
    lines = {line.split()[0]: line for line in listed.out.splitlines() if line.strip()}
    for place in ("indoor", "outdoor"):
        assert "Apache-2.0" in lines[f"metric-{place}-small"]
        assert "unresolved" in lines[f"metric-{place}-large"]
        assert "depth" in lines[f"metric-{place}-base"]


def test_what_is_verified_is_shown_and_an_engine_passes(linescan: Run, mine: Path) -> None:
    result = linescan("model", "check", mine)
    assert result.code == 0, result.err
    record = json.loads(mine.with_name("steel.verification.json").read_text())
    assert f"SHA-256 {record['sha256']}" in result.out
    assert f"torch {record['versions']['torch']}" in result.out
    assert "70x98" in result.out
    rows = [line.split() for line in result.out.splitlines() if line.split()[:1] == ["cpu-fp32"]]
    assert rows[0][1:4] == ["yes", "0", "yes"]


@pytest.mark.slow
def test_it_is_compared_again_with_its_checkpoint_and_no_other(
    linescan: Run, mine: Path, folder: Path, tmp_path: Path
) -> None:
    good = linescan("model", "check", mine, "--checkpoint", folder)
    assert good.code == 0, good.err
    assert "compared again" in good.out
    other = save_checkpoint(tmp_path / "other", offset=9.0)
    bad = linescan("model", "check", mine, "--checkpoint", other)
    assert bad.code == 2
    assert "deviates from the original" in bad.err


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def change_a_weight(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def lose_the_record(path: Path) -> None:
    path.with_name("steel.verification.json").unlink()


def damage_the_record(path: Path) -> None:
    beside = path.with_name("steel.verification.json")
    record = json.loads(beside.read_text())
    beside.write_text(json.dumps({**record, "checks": [{"size": 7}]}))


def take_another_file(path: Path) -> None:
    write_model(path, metadata={})


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut, "not an ONNX model, or a damaged one"),
        (change_a_weight, "not the file that was verified"),
        (lose_the_record, "steel.verification.json: no such file"),
        (damage_the_record, "is damaged"),
        (take_another_file, "make the file with 'linescan model export'"),
    ],
)
def test_a_file_that_is_not_right_ends_with_2_and_one_sentence(
    linescan: Run, mine: Path, harm: Callable[[Path], None], says: str
) -> None:
    harm(mine)
    result = linescan("model", "check", mine)
    assert result.code == 2
    assert says in result.err
    assert "Traceback" not in result.err


def test_without_an_engine_within_the_tolerance_it_ends_with_1(
    linescan: Run, tmp_path: Path
) -> None:
    """A model that divides by zero: it loads, and runs nowhere."""
    from linescan.depth import read_card
    from linescan.depth.record import write_record

    path = write_model(tmp_path / "infinite.onnx", divide_by=0.0)
    write_record(path, {"sha256": read_card(path).sha256})
    result = linescan("model", "check", path)
    assert result.code == 1
    assert "no engine of this machine is within 0.02" in result.err


@pytest.mark.slow
def test_export_offers_every_form(linescan: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rgb.onnx"
    size, frame = ("--size", "28", "42"), ("--frame", "90", "130")
    options = ("--channels", "3", *frame, "--attention", "fused", "--precision", "fp16")
    done = linescan("model", "export", folder, "--out", out, *size, *options)
    assert done.code == 0, done.err
    assert "with the encoder in fp16" in done.out
    assert "rgb.verification.json" in done.out
    from linescan.depth import read_card

    card = read_card(out)
    assert (card.channels, card.frame_size, card.precision) == (3, (90, 130), "fp16")
    assert card.verification["form"]["attention"] == "fused"


def test_wrong_options_are_one_sentence(linescan: Run, folder: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "x.onnx")
    for options, says in (
        (("--storage", "int4"), "int4"),
        (("--channels", "2"), "expected 1 (gray) or 3 (RGB)"),
        (("--dynamic", "--frame", "100", "100"), "cannot be dynamic"),
        (("--size", "10", "28"), "multiples of 14"),
    ):
        result = linescan("model", "export", folder, *out, *options)
        assert result.code == 2
        assert says in result.err
        assert "Traceback" not in result.err
    assert not list(tmp_path.iterdir())
