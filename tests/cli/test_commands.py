"""The smaller commands do what their help says."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from linescan.cli import options
from linescan.config import Config, base
from linescan.recording import Recording
from linescan.records import LineBlock
from tests.cli.conftest import ON_CPU, Result, Start

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
COMMANDS = (
    ("model",),
    ("config",),
    ("run",),
    ("replay",),
    ("record",),
    ("simulate",),
    ("image",),
    ("cost",),
    ("subscribe",),
    ("verify",),
    ("model", "list"),
    ("model", "export"),
    ("config", "check"),
    ("config", "schema"),
)


def pixels(path: Path) -> np.ndarray:
    blocks = [b for b in Recording.open(path).blocks() if isinstance(b, LineBlock)]
    return np.vstack([b.pixels[: b.valid_rows] for b in blocks])


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_teaches_with_an_example(linescan: Run, command: tuple[str, ...]) -> None:
    result = linescan(*command, "--help")
    assert result.code == 0
    assert "Example" in result.out
    assert f"linescan {' '.join(command)}" in result.out


def test_simulate_makes_a_recording_with_truth(linescan: Run, tmp_path: Path) -> None:
    out = tmp_path / "web"
    arguments = ("--preset", "parts", "--lines", "300", "--width", "128", "--seed", "4")
    assert linescan("simulate", "--out", out, *arguments).code == 0
    recording = Recording.open(out)
    assert recording.header.lines == 300
    assert recording.truth is not None
    height, web = recording.truth.height(0, 300)
    assert height.shape == (300, 128)
    assert web.line_step == 1
    assert recording.truth.labels(0, 300).shape == (300, 128)
    again = linescan("simulate", "--out", out, *arguments)
    assert again.code == 2
    assert "overwrite" in again.err


def test_record_keeps_what_a_source_gives(linescan: Run, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    result = linescan("record", recording, "--out", out, "--lines", "700")
    assert result.code == 0, result.err
    assert "700 lines recorded, 0 lost" in result.out
    assert np.array_equal(pixels(out), pixels(recording)[:700])
    assert Recording.open(out).header.pitch == Recording.open(recording).header.pitch


def test_record_takes_a_configuration_and_ends_with_ctrl_c(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text("source: {type: simulated, width: 64, rate: 2000, block_lines: 50}\n")
    out = tmp_path / "scan"
    process = start("record", config, "--out", out)
    while not (out / "recording.yaml").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    result = Result(process)
    assert result.code == 130
    assert "Traceback" not in result.err
    recorded = Recording.open(out)
    assert recorded.header.complete
    assert recorded.header.lines > 0
    assert len(pixels(out)) == recorded.header.lines


def test_record_takes_the_header_of_a_recording_as_replay_does(
    linescan: Run, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    result = linescan("record", recording / "recording.yaml", "--out", out, "--lines", "300")
    assert result.code == 0, result.err
    assert np.array_equal(pixels(out), pixels(recording)[:300])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("record", "x", "--out", "y", "--duration", "inf"), "--duration"),
        (("replay", "x", "--duration", "1e12"), "--duration"),
        (("run", "x", "--duration", "nan"), "--duration"),
        (("run", "x", "--lines", "9" * 16), "--lines"),
        (("run", "x", "--wait-subscribers", "1001"), "--wait-subscribers"),
        (("simulate", "--out", "x", "--seed", "-1"), "--seed"),
    ],
)
def test_a_value_out_of_bounds_names_its_option(
    linescan: Run, arguments: tuple[str, ...], words: str
) -> None:
    result = linescan(*arguments)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err


def test_a_rate_below_all_bounds_is_refused(linescan: Run, recording: Path) -> None:
    result = linescan("replay", recording, "--rate", "1e-9")
    assert result.code == 2
    assert "error: the command line: 'source.rate': expected at least 0.01" in result.err


def test_options_have_the_bounds_of_the_configuration() -> None:
    assert (options.LONGEST_S, options.ENDLESS) == (base.LONGEST_S, base.ENDLESS)


def test_image_writes_depth_heat_map_mask_and_overlay(linescan: Run, tmp_path: Path) -> None:
    import cv2

    noise = np.random.default_rng(1).integers(90, 120, (140, 280), np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), noise)
    cv2.imwrite(str(tmp_path / "two.tif"), noise.astype(np.uint16) << 8)
    (tmp_path / "bad.png").write_bytes(b"")
    files = [tmp_path / name for name in ("one.png", "bad.png", "two.tif")]
    result = linescan("image", *files, "--out", tmp_path / "out", *ON_CPU)
    assert result.code == 2, "one file was bad"
    assert "bad.png" in result.err
    kinds = ("depth.json", "depth.png", "heatmap.png", "mask.png", "overlay.png")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == sorted(f"{stem}_{kind}" for stem in ("one", "two") for kind in kinds)
    overlay = cv2.imread(str(tmp_path / "out" / "one_overlay.png"))
    assert overlay is not None
    assert overlay.shape[1] == 2 * overlay.shape[0] >= 280, "small pictures are enlarged"


def test_model_list_names_licences(linescan: Run) -> None:
    result = linescan("model", "list")
    assert result.code == 0
    for words in ("surface-tiny", "small", "base", "large", "Apache-2.0", "CC-BY-NC-4.0"):
        assert words in result.out


def test_config_check_says_good_or_what_is_wrong(linescan: Run, tmp_path: Path) -> None:
    assert "good" in linescan("config", "check", ROOT / "configs" / "camera.yaml").out
    shown = linescan("config", "check", ROOT / "configs" / "replay.yaml", "--show")
    assert yaml.safe_load(shown.out)["frame"]["lines"] == "auto"
    assert linescan("config", "check", tmp_path / "none.yaml").code == 2


def test_the_committed_schema_is_the_one_in_force(linescan: Run) -> None:
    committed = json.loads((ROOT / "docs" / "reference" / "config.schema.json").read_text())
    assert json.loads(linescan("config", "schema").out) == committed == Config.model_json_schema()


@pytest.mark.parametrize("name", ["demo", "replay", "camera"])
def test_every_key_of_the_shipped_configurations_is_commented(name: str) -> None:
    text = (ROOT / "configs" / f"{name}.yaml").read_text()
    Config.model_validate(yaml.safe_load(text))
    keys = [line for line in text.splitlines() if ":" in line.partition("#")[0]]
    assert len(keys) > 20
    assert [line for line in keys if not line.partition("#")[2].strip()] == []
    assert [line for line in keys if "{" in line.partition("#")[0]] == [], "a key a line"


def test_the_camera_takes_the_fastest_engine_and_the_demo_the_same_numbers_everywhere() -> None:
    texts = {n: (ROOT / "configs" / f"{n}.yaml").read_text() for n in ("camera", "demo")}
    depth = {n: Config.model_validate(yaml.safe_load(t)).depth for n, t in texts.items()}
    assert (depth["camera"].backend, depth["camera"].precision) == ("auto", "auto")
    assert depth["demo"].precision == "fp32"
    before = texts["demo"].partition("  precision: fp32")[0].splitlines()[-1]
    assert "the same objects on each machine" in before
    assert "auto, the default, is faster" in before


def test_the_demo_configuration_shows_every_key_but_those_of_other_sources() -> None:
    shown = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())
    config = Config.model_validate(shown).model_dump(mode="json")
    assert set(shown) == set(config)
    for section in ("frame", "segmentation", "publish", "journal", "sinks", "overload"):
        assert set(shown[section]) == set(config[section])
    assert set(config["depth"]) - set(shown["depth"]) == {"threads", "cache"}
