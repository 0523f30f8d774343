"""A wrong configuration gets one clear error that names the place."""

from pathlib import Path

import pytest

from linescan.config import Config, ImagesSource, RecordingSource, load, parse
from linescan.errors import ConfigError

GOOD = """\
camera: web-7
source:
  type: recording
  path: scans/one
frame:
  lines: 512
  overlap: 64
depth:
  size: [252, 252]
"""


def error(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "line.yaml", overrides)
    return str(caught.value)


def test_a_good_file_is_read_with_defaults() -> None:
    config = parse(GOOD, "line.yaml")
    assert config.camera == "web-7"
    assert isinstance(config.source, RecordingSource)
    assert config.frame.lines == 512
    assert config.frame.last == "pad"
    assert config.depth.size == (252, 252)
    assert config.publish.data == "tcp://127.0.0.1:5560"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(GOOD)
    config = load(tmp_path / "line.yaml")
    assert isinstance(config.source, RecordingSource)
    assert config.source.path == tmp_path / "scans" / "one"


def test_overrides_win_and_are_relative_to_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(GOOD)
    settings = ["frame.lines=1024", "source.path=here", "segmentation.threshold.k=4"]
    config = load(tmp_path / "line.yaml", settings)
    assert config.frame.lines == 1024
    assert isinstance(config.source, RecordingSource)
    assert config.source.path == Path("here")
    assert config.segmentation.threshold.k == 4


def test_an_override_may_add_a_section() -> None:
    config = parse("source: {type: images, path: a}", "line.yaml", ["source.pitch.along_mm=0.1"])
    assert isinstance(config.source, ImagesSource)
    assert config.source.pitch.along_mm == 0.1


def test_an_unknown_key_is_named_with_its_line_and_a_suggestion() -> None:
    text = GOOD.replace("  overlap: 64", "  overlp: 64")
    assert error(text) == "line.yaml:7: unknown key 'frame.overlp'; did you mean 'overlap'?"


def test_an_unknown_key_of_a_source_knows_the_keys_of_its_type() -> None:
    text = GOOD.replace("  path: scans/one", "  path: scans/one\n  lop: true")
    assert error(text) == "line.yaml:5: unknown key 'source.lop'; did you mean 'loop'?"


def test_a_key_unlike_any_other_lists_the_known_ones() -> None:
    assert "known here: lines, overlap, last" in error(GOOD.replace("  lines:", "  zzz:"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lines: 512", "lines: many", "line.yaml:6: 'frame.lines': expected a whole number"),
        ("overlap: 64", "overlap: 400", "line.yaml:5: 'frame': overlap 400 is more than half"),
        ("[252, 252]", "[250, 252]", "line.yaml:9: 'depth.size': expected a multiple of 14"),
        ("[252, 252]", "large", "line.yaml:9: 'depth.size'"),
        ("recording", "film", "line.yaml:3: 'source.type'"),
        ("web-7", "a b", "line.yaml:1: 'camera'"),
        ("  path: scans/one\n", "", "line.yaml:2: 'source.path' is missing"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(old: str, new: str, expected: str) -> None:
    message = error(GOOD.replace(old, new))
    assert message.startswith(expected)
    assert len(message.splitlines()) == 1


def test_all_errors_are_told_at_once() -> None:
    text = GOOD.replace("lines: 512", "lines: x").replace("size:", "sise:")
    assert [m.split(":")[1] for m in error(text).splitlines()] == ["6", "9"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("frame.lines", "--set frame.lines: expected key=value"),
        ("frame.lines=abc", "--set frame.lines=abc: 'frame.lines': expected a whole number"),
        ("frame.linse=1", "--set frame.linse=1: unknown key 'frame.linse'; did you mean 'lines'"),
        ("frame.lines=[", "--set frame.lines=[: the value is not valid YAML"),
        ("nothing.at.all=1", "--set nothing.at.all=1: unknown key 'nothing'"),
    ],
)
def test_a_wrong_override_is_named(override: str, expected: str) -> None:
    assert error(GOOD, override).startswith(expected)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [", "\tcamera: x"])
def test_what_is_no_configuration_is_told(text: str) -> None:
    assert error(text).startswith("line.yaml: ")


def test_an_empty_file_lacks_a_source() -> None:
    assert error("") == "line.yaml:1: 'source' is missing"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot read"):
        load(tmp_path / "nowhere.yaml")


def test_endpoints_are_bound_to_this_machine() -> None:
    assert "line.yaml" in error(GOOD + "publish: {data: 'tcp://0.0.0.0:5560'}\n")


def test_every_key_is_documented() -> None:
    schema = Config.model_json_schema()
    for name, part in {**schema["$defs"], "Config": schema}.items():
        for key, field in part.get("properties", {}).items():
            target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            text = field.get("description") or target.get("description")
            assert text, f"{name}.{key} has no description"
