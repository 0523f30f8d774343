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


RECORDING = "source:\n  type: recording\n  path: a\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("overload: {drain_s: .inf}", "'overload.drain_s': expected a finite number, got inf"),
        ("overload: {drain_s: 10000000000}", "'overload.drain_s': expected at most 1000000"),
        ("publish: {wait_s: .inf}", "'publish.wait_s': expected a finite number, got inf"),
        ("publish: {wait_s: .nan}", "'publish.wait_s': expected a finite number, got nan"),
        ("publish: {memory_mb: 1000000000}", "'publish.memory_mb': expected at most 1000000"),
        ("frame: {lines: 1000000000000}", "'frame.lines': expected at most 65536 or 'auto'"),
        ("frame: {overlap: 32769}", "'frame.overlap': expected at most 32768 or 'auto'"),
        ("depth: {threads: 1025}", "'depth.threads': expected at most 1024"),
        ("  rate: 0.001", "'source.rate': expected at least 0.01 or 'max'"),
        ("  rate: .inf", "'source.rate': expected a finite number or 'max'"),
        ("segmentation: {threshold: {k: .inf}}", "'segmentation.threshold.k': expected a finite"),
    ],
)
def test_each_number_has_bounds(text: str, expected: str) -> None:
    assert error(RECORDING + text).startswith(f"line.yaml:4: {expected}")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{type: simulated, seed: -1}", "'source.seed': expected at least 0, got -1"),
        ("{type: simulated, width: 32769}", "'source.width': expected at most 32768"),
        ("{type: simulated, block_lines: 8193}", "'source.block_lines': expected at most 8192"),
        ("{type: images, path: a, block_lines: 65537}", "'source.block_lines': expected at most"),
        ("{type: images, path: ''}", "'source.path': expected a path, got ''"),
        ("{type: genicam, producer: ' '}", "'source.producer': expected a path, got ' '"),
        ("{type: genicam, producer: a, line_rate_hz: .inf}", "'source.line_rate_hz': expected a f"),
        (
            "{type: genicam, producer: a, features: {'no name': 1}}",
            "'source.features': expected names of features, such as GammaEnable",
        ),
        (
            "{type: genicam, producer: a, features: {Gamma: [1]}}",
            "'source.features': expected true or false or a whole number or a number or text",
        ),
        (
            "{type: genicam, producer: a, trigger: {mode: sometimes}}",
            "'source.trigger.mode': expected 'free_run', 'encoder' or 'external'",
        ),
    ],
)
def test_each_value_of_a_source_has_bounds(source: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(f"source: {source}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:1: {expected}")


@pytest.mark.parametrize("port", ["1", "9", "80", "5560", "59999", "65535", "*"])
def test_ports_are_those_of_tcp(port: str) -> None:
    text = f"{RECORDING}publish: {{data: 'tcp://127.0.0.1:{port}'}}"
    assert parse(text, "line.yaml").publish.data.endswith(f":{port}")


@pytest.mark.parametrize("port", ["0", "05560", "65536", "65540", "65600", "99999", "100000", "٣"])
def test_other_ports_are_refused(port: str) -> None:
    message = error(f"{RECORDING}publish: {{data: 'tcp://127.0.0.1:{port}'}}")
    assert message.startswith("line.yaml:4: 'publish.data': expected an endpoint of this machine")
    assert "port up to 65535" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("frame: {lines: 8}\nframe: {last: pad}", "5: 'frame' is given twice, first in line 4"),
        ("frame:\n  lines: 8\n  lines: 9", "6: 'frame.lines' is given twice, first in line 5"),
        ('frame: {lines: 8, "lines": 9}', "4: 'frame.lines' is given twice, first in line 4"),
        ("a:\n- b: 1\n  b: 2", "6: 'a.b' is given twice, first in line 5"),
    ],
)
def test_a_key_is_given_once(text: str, expected: str) -> None:
    assert error(RECORDING + text).startswith(f"line.yaml:{expected}")
    assert "'lines' is given twice" in error(RECORDING, "frame={lines: 8, lines: 9}")


def test_a_merged_key_may_be_replaced() -> None:
    text = f"{RECORDING}frame: {{<<: {{lines: 8, last: drop}}, lines: 9}}"
    frame = parse(text, "line.yaml").frame
    assert (frame.lines, frame.last) == (9, "drop")


@pytest.mark.parametrize("text", ["camera: 2024-13-45", "camera: " + "[" * 5000, "a: &a [*a]"])
def test_yaml_that_cannot_be_data_is_told(text: str) -> None:
    assert error(text).startswith("line.yaml:")


@pytest.mark.parametrize("key", ["on", "7", "null", "1.5"])
def test_keys_are_told_as_written(key: str) -> None:
    assert f"line.yaml:4: unknown key '{key}'" in error(f"{RECORDING}{key}: 1")
    assert f"line.yaml:4: unknown key 'source.{key}'" in error(f"{RECORDING}  {key}: 1")


def test_a_key_of_another_type_of_source_is_not_suggested() -> None:
    assert error(RECORDING, "source.pitch.along_mm=1") == (
        "--set source.pitch.along_mm=1: source type recording has no key 'pitch'; it has:"
        " type, path, rate, loop, skip_bad"
    )
    assert "did you mean" not in error("source: {type: simulated, paht: a}")


def test_a_wrong_item_of_a_list_is_named_with_its_own_line() -> None:
    text = f"{RECORDING}depth:\n  size:\n  - 28\n  - 250\n"
    assert error(text) == (
        "line.yaml:7: 'depth.size': expected a multiple of 14 or 'auto', got 250"
    )


@pytest.mark.parametrize("size", ["[]", "[28]", "[28, 28, 28]"])
def test_a_list_of_the_wrong_length_is_told(size: str) -> None:
    message = error(f"{RECORDING}depth: {{size: {size}}}")
    expected = "line.yaml:4: 'depth.size': expected a list such as [252, 252] or 'auto', got "
    assert message == expected + size


def test_numbers_in_place_of_text_are_to_be_quoted() -> None:
    wanted = "--set camera=07: 'camera': expected text, got 7; quote it: --set 'camera=\"07\"'"
    assert error(RECORDING, "camera=07") == wanted
    assert parse(RECORDING, "line.yaml", ['camera="07"']).camera == "07"
    camera = "source:\n  type: genicam\n  producer: a\n  device:\n    serial: 0123\n"
    wanted = "'source.device.serial': expected text, got 83; quote it: \"0123\""
    assert error(camera) == f"line.yaml:5: {wanted}"


def test_an_override_of_a_section_is_blamed_for_what_it_holds() -> None:
    assert error(GOOD, "frame={lines: 0}").startswith("--set frame={lines: 0}: 'frame.lines'")
    both = ("frame.lines=0", "frame.overlap=0", "frame.lines=-1")
    assert error(GOOD, *both).startswith("--set frame.lines=-1: 'frame.lines'")
    beside = error(GOOD.replace("lines: 512", "lines: x"), "frame.overlap=0")
    assert beside.startswith("line.yaml:6: 'frame.lines'")


def test_a_source_of_the_command_line_is_not_blamed_on_the_file() -> None:
    source = RecordingSource(path=Path("a")).model_copy(update={"rate": 1e-9})
    with pytest.raises(ConfigError, match=r"^the command line: 'source\.rate': expected at least"):
        parse(GOOD, "line.yaml", source=source)


def test_home_is_found_in_files_and_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "line.yaml").write_text(RECORDING.replace("path: a", "path: ~/scan"))
    settings = [[], ["source.path=~/scan"], ["source={type: recording, path: ~/scan}"]]
    for given in settings:
        config = load(tmp_path / "line.yaml", [*given, "depth.model=~/a.onnx"])
        assert isinstance(config.source, RecordingSource)
        assert config.source.path == tmp_path / "me" / "scan"
        assert config.depth.model == str(tmp_path / "me" / "a.onnx")
    nobody = parse(RECORDING, "line.yaml", ["source.path=~no-such-user/x"]).source
    assert isinstance(nobody, RecordingSource)
    assert nobody.path == Path("~no-such-user/x")


def test_all_errors_are_told_at_once() -> None:
    text = GOOD.replace("lines: 512", "lines: x").replace("size:", "sise:")
    assert [m.split(":")[1] for m in error(text).splitlines()] == ["6", "9"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("frame.lines", "--set frame.lines: expected key=value"),
        ("frame.lines=abc", "--set frame.lines=abc: 'frame.lines': expected a whole number"),
        ("frame.linse=1", "--set frame.linse=1: unknown key 'frame.linse'; did you mean 'lines'"),
        ("frame.lines=[", "--set frame.lines=[: not valid YAML"),
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


@pytest.mark.parametrize(
    "publish",
    [
        "data: 'tcp://0.0.0.0:5560'",
        "data: 'tcp://*:5560'",
        "data: 'tcp://eth0:5560'",
        "data: 'tcp://192.168.1.5:5560'",
        "data: 'tcp://[::]:5560'",
        "data: 'tcp://[fe80::1%eth0]:5560'",
        "control: 'tcp://0.0.0.0:5561'",
        "status: 'tcp://0.0.0.0:5562'",
    ],
)
def test_other_machines_are_served_only_with_keys_or_by_name(publish: str) -> None:
    message = error(f"{RECORDING}publish: {{{publish}}}\n")
    assert message.startswith("line.yaml:4: 'publish': tcp://")
    assert "can be reached from other machines" in message
    assert "publish.security" in message
    assert "publish.allow_clear: true" in message
    for enough in (
        "allow_clear: true",
        "enabled: false",
        "security: {server_key: a.key_secret, allow: allowed}",
    ):
        parse(f"{RECORDING}publish: {{{publish}, {enough}}}\n", "line.yaml")


@pytest.mark.parametrize(
    "data",
    [
        "tcp://127.0.0.1:1",
        "tcp://127.1.2.3:*",
        "tcp://[::1]:1",
        "tcp://localhost:1",
        "ipc:///tmp/x",
    ],
)
def test_this_machine_is_served_without_keys(data: str) -> None:
    assert parse(f"{RECORDING}publish: {{data: '{data}'}}\n", "line.yaml").publish.data == data


@pytest.mark.parametrize("host", ["127.0.0.1.example.org", "127.example", "localhost.example"])
def test_names_that_look_like_this_machine_are_not(host: str) -> None:
    message = error(f"{RECORDING}publish: {{data: 'tcp://{host}:5560'}}\n")
    assert "can be reached from other machines" in message


def test_key_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    security = "security: {server_key: keys/a.key_secret, allow: allowed}"
    file.write_text(f"{RECORDING}publish: {{{security}}}\n")
    found = load(file).publish.security
    assert found is not None
    assert found.server_key == tmp_path / "keys" / "a.key_secret"
    assert found.allow == tmp_path / "allowed"


def test_every_key_is_documented() -> None:
    schema = Config.model_json_schema()
    for name, part in {**schema["$defs"], "Config": schema}.items():
        for key, field in part.get("properties", {}).items():
            target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            text = field.get("description") or target.get("description")
            assert text, f"{name}.{key} has no description"
