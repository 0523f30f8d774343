"""Compressed arrays: fewer bytes, the same values, and no more memory than was agreed."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from linescan.errors import ProtocolError
from linescan.protocol import InspectionMessage, Kind, decode, encode
from linescan.protocol.compression import MAX_BYTES, compress, decompress
from tests.protocol.samples import STAMP, as_received, header_of, inspection, with_header


def test_is_smaller_and_says_so() -> None:
    item = inspection(size=(256, 256))
    assert item.segmentation is not None
    raw, small = (encode(item, k, STAMP) for k in (Kind.INSPECTION, Kind.INSPECTION_BLOSC))
    assert raw is not None
    assert small is not None
    assert len(small[3]) < len(raw[3]) / 20  # labels are runs of equal values
    for part, frame in zip(header_of(small)["parts"], small[2:], strict=True):
        assert (part["encoding"], part["nbytes"]) == ("blosc", len(frame))
    message = decode(as_received(small))
    assert isinstance(message, InspectionMessage)
    np.testing.assert_array_equal(message.labels, item.segmentation.labels)


@pytest.mark.parametrize("itemsize", [1, 2, 4])
def test_bytes_come_back(itemsize: int) -> None:
    data = np.random.default_rng(0).integers(0, 4, 40_000, dtype=np.uint8).data
    assert decompress(compress(data, itemsize), data.nbytes) == data


def bomb(before: int) -> memoryview:
    """A small buffer that says that it becomes large."""
    data = bytearray(compress(np.zeros(1 << 20, np.uint8).data, 4))
    struct.pack_into("<I", data, 4, before)
    return memoryview(bytes(data))


@pytest.mark.parametrize("before", [0, (1 << 20) - 1, MAX_BYTES + 1, 2**32 - 1])
def test_nothing_is_allocated_before_sizes_agree(before: int) -> None:
    data = bomb(before)
    tracemalloc.start()
    try:
        for expected in (1 << 20, 7, MAX_BYTES + 1):
            with pytest.raises(ProtocolError, match=r"states|at most"):
                decompress(data, expected)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_larger_array_is_not_sent() -> None:
    untouched = np.empty(MAX_BYTES + 1, np.uint8)
    with pytest.raises(ProtocolError, match=f"at most {MAX_BYTES}"):
        compress(untouched.data, 4)


@pytest.mark.parametrize("cut", [0, 1, 15])
def test_a_buffer_without_a_whole_header(cut: int) -> None:
    with pytest.raises(ProtocolError, match="header"):
        decompress(compress(np.zeros(100, np.uint8).data, 1)[:cut], 100)


def test_damage_is_an_error_or_other_values_never_a_crash() -> None:
    """Without a checksum; with one, damage is found before."""
    rng = np.random.default_rng(0)
    data = compress(rng.integers(0, 3, 5000, dtype=np.uint16).view(np.uint8).data, 2)
    refused = 0
    for _ in range(3000):
        wrong = bytearray(data)
        for at in rng.integers(0, len(wrong), rng.integers(1, 9)):
            wrong[at] = rng.integers(0, 256)
        try:
            assert decompress(memoryview(bytes(wrong)), 10_000).nbytes == 10_000
        except ProtocolError:
            refused += 1
    assert refused > 300


def test_a_damaged_part_is_named() -> None:
    frames = as_received(encode(inspection(), Kind.INSPECTION_BLOSC, STAMP) or [])
    header = header_of(frames)
    header["parts"][0]["shape"][0] += 1
    with pytest.raises(ProtocolError, match="part 'depth': a Blosc buffer states"):
        decode(with_header(frames, header))


WITHOUT = """
import sys
sys.modules["numcodecs"] = None
import numpy as np
from linescan.errors import ProtocolError
from linescan.protocol.compression import compress
try:
    compress(np.zeros(4, np.uint8).data, 1)
except ProtocolError as error:
    print(error)
"""


def test_without_the_library_the_error_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    assert "pip install '.[compression]'" in done.stdout
