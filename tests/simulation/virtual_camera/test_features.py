"""The camera's features, as GenICam sees them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from linescan.simulation.virtual_camera import PIXEL_FORMATS, VirtualWorld
from tests.simulation.virtual_camera.conftest import Client, MakeWorld


def test_a_new_camera_tells_what_its_world_is(client: Client, make_world: MakeWorld) -> None:
    world = make_world(serial="4711", user_name="web-1", line_rate_hz=12_345.0, block_lines=128)
    values = client.run(world, deed="features")["values"]
    assert values["DeviceVendorName"] == "linescan"
    assert (values["DeviceSerialNumber"], values["DeviceUserID"]) == ("4711", "web-1")
    assert values["DeviceScanType"] == "Linescan"
    assert (values["Width"], values["WidthMax"], values["Height"]) == (64, 64, 128)
    assert values["PixelFormat"] == "Mono8"
    assert values["AcquisitionLineRate"] == 12_345.0
    assert values["AcquisitionMode"] == "Continuous"
    assert values["EncoderMode"] == "FourPhase"
    assert values["EncoderStatus"] == "EncoderUp"
    assert values["PayloadSize"] >= 64 * 128


SETTINGS = {
    "DeviceUserID": "renamed",
    "Width": 40,
    "Height": 100,
    "PixelFormat": "Mono12p",
    "AcquisitionLineRate": 5000.0,
    "ExposureTime": 33.0,
    "Gain": 6.0,
    "TriggerSelector": "LineStart",
    "TriggerMode": "On",
    "TriggerSource": "Encoder0",
    "EncoderSourceA": "Line1",
    "EncoderSourceB": "Line0",
    "EncoderMode": "HighResolution",
    "EncoderDivider": 3,
    "EncoderOutputMode": "PositionUp",
    "EncoderTimeout": 2500.0,
    "EncoderResolution": 12.5,
    "ChunkModeActive": True,
}


def test_settings_are_taken_and_outlive_the_process(client: Client, make_world: MakeWorld) -> None:
    world = make_world()
    first = client.run(world, deed="features", settings=SETTINGS)["values"]
    again = client.run(world, deed="features")["values"]
    for values in (first, again):
        assert {name: values[name] for name in SETTINGS} == SETTINGS


def test_selectors_keep_settings_apart(client: Client, make_world: MakeWorld) -> None:
    world = make_world()
    settings = {"TriggerSelector": "LineStart", "TriggerMode": "On", "TriggerSource": "Encoder0"}
    client.run(world, deed="features", settings=settings)
    frame = client.run(world, deed="features", settings={"TriggerSelector": "FrameStart"})
    line = client.run(world, deed="features", settings={"TriggerSelector": "LineStart"})
    assert (frame["values"]["TriggerMode"], frame["values"]["TriggerSource"]) == ("Off", "Line0")
    assert (line["values"]["TriggerMode"], line["values"]["TriggerSource"]) == ("On", "Encoder0")


def test_commands_latch_the_time_and_reset_the_encoder(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world(first_line=10**9)
    before = world.encoder_at(world.line_now)
    settings = {"TimestampLatch": 1, "EncoderReset": 1}
    values = client.run(world, deed="features", settings=settings)["values"]
    assert values["TimestampLatchValue"] > world.time_of(10**9)
    assert 0 <= values["EncoderValue"] < before // 2


def test_wrong_values_are_refused(client: Client, make_world: MakeWorld) -> None:
    tries = {"Width": 65, "Height": 0, "AcquisitionLineRate": 2e6, "Gain": -1.0, "WidthMax": 3}
    answers = client.run(make_world(), deed="refuse", tries=tries)
    assert answers.pop("WidthMax") == "AccessException"
    assert set(answers.values()) == {"OutOfRangeException"}


def test_size_and_chunks_are_locked_while_acquiring(client: Client, make_world: MakeWorld) -> None:
    tries = {"Width": 32, "Height": 32, "PixelFormat": "Mono16", "ChunkModeActive": True, "Gain": 1}
    answers = client.run(make_world(), deed="refuse", tries=tries, streaming=True)
    assert answers.pop("Gain") == "taken"
    assert set(answers.values()) == {"AccessException"}


def unpack(line: np.ndarray, name: str, width: int) -> np.ndarray:
    """Values of one line by the naming convention's description of each format."""
    if name == "Mono8":
        return line[:width].astype(np.uint16)
    if name in ("Mono10", "Mono12", "Mono16"):
        return line[: 2 * width].view("<u2")
    bits = int(name[4:6])
    if name.endswith("p"):
        stream = np.unpackbits(line, bitorder="little")[: width * bits].reshape(width, bits)
        return (stream.astype(np.uint16) << np.arange(bits, dtype=np.uint16)).sum(1).astype("u2")
    three = line[: width // 2 * 3].reshape(-1, 3).astype(np.uint16)
    low, mask = bits - 8, (1 << (bits - 8)) - 1
    first, second = three[:, 1] & mask, (three[:, 1] >> 4) & mask
    return np.stack([three[:, 0] << low | first, three[:, 2] << low | second], 1).reshape(-1)


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("bits", [8, 12])
def test_pixels_in_each_format(
    client: Client, make_world: MakeWorld, tmp_path: object, name: str, bits: int
) -> None:
    draw = np.random.default_rng(7)
    pixels = draw.integers(0, 2**bits, (300, 62), dtype=np.uint8 if bits == 8 else np.uint16)
    world = make_world(pixels, bits, block_lines=50, hold=True)
    out = f"{tmp_path}/raw.npy"
    client.run(world, deed="grab", blocks=8, settings={"PixelFormat": name}, out=out)
    raw = np.load(out)
    wanted, stored = int(re.sub(r"\D", "", name)), raw.shape[1]
    line_bytes = {8: 62, 10: 78, 12: 93, 16: 124}[_line_bits(name)]
    assert stored >= 50 * line_bytes
    for block, buffer in enumerate(raw):
        lines = buffer[: 50 * line_bytes].reshape(50, line_bytes)
        truth = pixels[(np.arange(50) + 50 * block) % 300].astype(np.int64) * 2**wanted // 2**bits
        got = np.stack([unpack(line, name, 62) for line in lines])
        assert np.array_equal(got, truth)


def _line_bits(name: str) -> int:
    return {"Mono8": 8, "Mono10p": 10, "Mono12p": 12, "Mono10Packed": 12, "Mono12Packed": 12}.get(
        name, 16
    )


def test_a_narrower_image_is_cut_from_the_left(
    client: Client, make_world: MakeWorld, tmp_path: object
) -> None:
    pixels = np.arange(100 * 64, dtype=np.uint32).astype(np.uint8).reshape(100, 64)
    world = make_world(pixels, block_lines=10, hold=True)
    out = f"{tmp_path}/raw.npy"
    client.run(world, deed="grab", blocks=2, settings={"Width": 33}, out=out)
    assert np.array_equal(np.load(out)[0][:330].reshape(10, 33), pixels[:10, :33])


def test_several_cameras_in_one_producer(client: Client, make_world: MakeWorld) -> None:
    worlds: list[VirtualWorld] = [make_world(serial=f"S{i}", user_name=f"u{i}") for i in range(3)]
    worlds[1].lose(60)
    found = client.run(*worlds, deed="devices")
    assert [(f["serial"], f["user"]) for f in found] == [("S0", "u0"), ("S2", "u2")]
    answer = client.run(*worlds, deed="grab", blocks=3, index=1)
    assert len(answer["blocks"]) == 3
    assert [world.opened for world in worlds] == [0, 0, 1]
