"""Images as lines: what is in the files comes out, and nothing else."""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from linescan.config import ImagesSource, Pitch
from linescan.errors import SourceError
from linescan.records import Cause, Loss
from linescan.sources.images import ImagesPlayer
from linescan.sources.images.formats import check_whole, read_header
from linescan.sources.images.listing import natural_key
from linescan.sources.images.problem import ImageProblem
from tests.sources.helpers import Played, encode, save, smooth


def play(path: Path, **options: Any) -> Played:
    return Played(ImagesPlayer(ImagesSource(path=path, **options)))


FILES: dict[str, Callable[[], bytes]] = {
    "gray.png": lambda: encode(smooth(70, 50), "PNG"),
    "gray16.png": lambda: encode(smooth(70, 50, bits=16), "PNG"),
    "gray.bmp": lambda: encode(smooth(70, 50), "BMP"),
    "raw.tif": lambda: encode(smooth(70, 50), "TIFF"),
    "raw16.tif": lambda: encode(smooth(70, 50, bits=16), "TIFF"),
    "lzw.tif": lambda: encode(smooth(70, 50), "TIFF", compression="tiff_lzw"),
    "deflate16.tif": lambda: encode(
        smooth(70, 50, bits=16), "TIFF", compression="tiff_adobe_deflate"
    ),
    "big.tif": lambda: encode(smooth(70, 50), "TIFF", big_tiff=True),
    "strips.tif": lambda: encode(smooth(70, 50), "TIFF", strip_size=500),
}
JPEGS: dict[str, Callable[[], bytes]] = {
    "plain.jpg": lambda: encode(smooth(70, 50), "JPEG", quality=95),
    "progressive.jpg": lambda: encode(smooth(70, 50), "JPEG", quality=95, progressive=True),
    "exif.jpg": lambda: encode(
        smooth(70, 50), "JPEG", exif=b"Exif\0\0" + encode(smooth(16, 16), "JPEG")
    ),
    "restarts.jpg": lambda: encode(smooth(70, 50), "JPEG", restart_marker_rows=1),
}


@pytest.mark.parametrize("name", FILES)
def test_lossless_files_give_their_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    played = play(tmp_path / name, block_lines=32)
    assert played.error is None
    bits = 16 if "16" in name else 8
    np.testing.assert_array_equal(played.pixels, smooth(70, 50, bits=bits))
    assert [len(b.pixels) for b in played.blocks] == [32, 32, 6]
    assert played.info.bits == bits
    assert played.info.total_lines == 70


@pytest.mark.parametrize("name", JPEGS)
def test_jpegs_give_their_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(JPEGS[name]())
    played = play(tmp_path)
    difference = played.pixels.astype(int) - smooth(70, 50)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("name", [*FILES, *JPEGS])
def test_a_file_cut_anywhere_never_invents_pixels(tmp_path: Path, name: str) -> None:
    whole = (FILES | JPEGS)[name]()
    (tmp_path / name).write_bytes(whole)
    expected = play(tmp_path).pixels
    cuts = sorted({*range(min(len(whole), 120)), *range(0, len(whole), 23), len(whole) - 1})
    seen_header = False
    for cut in cuts:
        (tmp_path / name).write_bytes(whole[:cut])
        try:
            played = play(tmp_path)
        except SourceError as error:
            text = str(error)
            assert not seen_header, "a header that was readable became unreadable"
        else:
            if played.error is None:  # what was cut is not part of the image
                np.testing.assert_array_equal(played.pixels, expected)
                continue
            text, seen_header = str(played.error), True
            assert played.items == [Loss(0, 70, Cause.BAD_BLOCK)]
        assert name in text
        assert "\n" not in text
        expected_words = ("truncated", "empty", "is no PNG", "cannot be decoded")
        assert any(word in text for word in expected_words), text


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_are_an_image_or_a_problem(data: st.DataObject) -> None:
    """A damaged header never crashes, hangs or takes the memory of its claim."""
    whole = bytearray(data.draw(st.sampled_from(list((FILES | JPEGS).values())))())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, min(len(whole) - 1, 300)))
        whole[at] = data.draw(st.integers(0, 255))
    for read in (read_header, check_whole):
        with contextlib.suppress(ImageProblem):
            read(bytes(whole))


def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path) -> None:
    whole = bytearray(FILES["gray.png"]())
    whole[len(whole) // 2] ^= 4
    (tmp_path / "a.png").write_bytes(whole)
    played = play(tmp_path)
    assert played.items == [Loss(0, 70, Cause.BAD_BLOCK)]
    assert "wrong check sum of the chunk at byte" in str(played.error)


def test_natural_order(tmp_path: Path) -> None:
    for name, value in (("web10.png", 2), ("web2.png", 1), ("Web1.png", 0), ("web010b.png", 3)):
        save(tmp_path / name, np.full((2, 4), value, np.uint8))
    assert play(tmp_path).pixels[::2, 0].tolist() == [0, 1, 2, 3]


@given(st.lists(st.text(max_size=8), max_size=8))
def test_natural_order_takes_any_names(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural_key)) == sorted(names)


def test_colour_becomes_luma_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    save(tmp_path / "1.png", rgb)
    alpha = np.full((20, 30, 1), 7, np.uint8)
    save(tmp_path / "2.png", np.concatenate([rgb, alpha], axis=2))
    save(tmp_path / "3.bmp", rgb)
    save(tmp_path / "4.tif", rgb)
    save(tmp_path / "5.png", rgb[..., 0])
    with caplog.at_level(logging.INFO):
        played = play(tmp_path)
    for block in played.blocks[:4]:
        assert np.abs(block.pixels - luma).max() <= 0.51
    np.testing.assert_array_equal(played.blocks[4].pixels, rgb[..., 0])
    said = [r.getMessage() for r in caplog.records]
    assert len([s for s in said if "colour becomes gray (BT.601 luma)" in s and "1.png" in s]) == 1
    assert len([s for s in said if "transparency is ignored" in s and "2.png" in s]) == 1
    assert len(said) == 2


def test_a_16_bit_colour_image(tmp_path: Path) -> None:
    import cv2

    bgr = np.random.default_rng(0).integers(0, 65536, (9, 8, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), bgr)
    played = play(tmp_path)
    assert np.abs(played.pixels - bgr @ np.array([0.114, 0.587, 0.299])).max() < 2
    assert played.info.bits == 16


def tiff(tags: list[tuple[int, int, int]], data: bytes, *, order: str = "<") -> bytes:
    """A TIFF of one strip, made by hand; the value -1 stands for the place of the pixels."""
    offset = 8 + 2 + 12 * len(tags) + 4
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    head += struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        value = offset if value == -1 else value
        field = struct.pack(
            order + ("HH" if kind == 3 else "I"), *([value, 0][: 2 if kind == 3 else 1])
        )
        head += struct.pack(order + "HHI", tag, kind, 1) + field
    return head + struct.pack(order + "I", 0) + data


def gray_tags(width: int, height: int, bits: int, size: int) -> list[tuple[int, int, int]]:
    return [
        (256, 3, width),
        (257, 3, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, -1),
        (277, 3, 1),
        (278, 3, height),
        (279, 4, size),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_12_bits_in_16_by_tag_or_by_option(tmp_path: Path, order: str) -> None:
    pixels = smooth(20, 10, bits=12)
    data = pixels.astype(order + "u2").tobytes()
    tags = gray_tags(10, 20, 16, len(data))
    (tmp_path / "a.tif").write_bytes(tiff([*tags, (281, 3, 4095)], data, order=order))
    played = play(tmp_path)
    assert played.info.bits == 12
    np.testing.assert_array_equal(played.pixels, pixels)
    (tmp_path / "a.tif").write_bytes(tiff(tags, data, order=order))
    assert play(tmp_path).info.bits == 16
    assert play(tmp_path, bits=12).info.bits == 12
    bad = play(tmp_path, bits=10)
    assert "does not fit 10 bits" in str(bad.error)
    with pytest.raises(SourceError, match="uint16 pixels, which do not go with 'bits: 8'"):
        play(tmp_path, bits=8)


def test_packed_12_bits_are_widened_to_16(tmp_path: Path) -> None:
    pixels = smooth(6, 8, bits=12)
    packed = b"".join(
        int("".join(f"{v:012b}" for v in row), 2).to_bytes(12, "big") for row in pixels
    )
    (tmp_path / "a.tif").write_bytes(tiff(gray_tags(8, 6, 12, len(packed)), packed))
    played = play(tmp_path)
    assert played.info.bits == 16
    np.testing.assert_array_equal(played.pixels, pixels << 4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: encode(np.zeros((4, 4), np.float32), "TIFF"), "32-bit floating-point pixels"),
        (lambda: encode(np.zeros((4, 4), np.int32), "TIFF"), "32-bit signed pixels"),
        (
            lambda: encode(
                smooth(9, 9), "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]
            ),
            "holds 2 images; save each",
        ),
        (lambda: tiff(gray_tags(10, 20, 8, 150), bytes(200)), "a strip of pixels is too small"),
        (lambda: tiff(gray_tags(10, 20, 8, 200)[:-1], bytes(200)), "expected 1 strips"),
        (lambda: tiff(gray_tags(10, 20, 8, 200)[1:], bytes(200)), "TIFF tag 256 is missing"),
        (lambda: tiff(gray_tags(0, 20, 8, 200), bytes(200)), "20 rows of 0 pixels"),
        (lambda: b"GIF89a" + bytes(50), "no PNG, TIFF, BMP or JPEG image"),
        (lambda: b"", "the file is empty"),
        (
            lambda: (
                encode(smooth(9, 9), "PNG")[:16]
                + struct.pack(">II", 70000, 70000)
                + bytes([8, 0, 0, 0, 0])
                + struct.pack(
                    ">I",
                    zlib.crc32(b"IHDR" + struct.pack(">II", 70000, 70000) + bytes([8, 0, 0, 0, 0])),
                )
            ),
            "cut it into several files",
        ),
    ],
)
def test_what_cannot_be_lines_is_said(tmp_path: Path, make: Callable[[], bytes], said: str) -> None:
    (tmp_path / "a.tif").write_bytes(make())
    try:
        text = str(play(tmp_path).error)
    except SourceError as error:
        text = str(error)
    assert said in text
    assert str(tmp_path / "a.tif") in text
    assert "\n" not in text


def test_a_reduced_second_page_is_no_second_image(tmp_path: Path) -> None:
    thumbnail = Image.new("L", (4, 4))
    file = io.BytesIO()
    image = Image.fromarray(smooth(16, 16))
    image.save(file, "TIFF", save_all=True, append_images=[thumbnail], tiffinfo={254: 0})
    data = bytearray(file.getvalue())
    (first,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[first : first + 2])
    (second,) = struct.unpack("<I", data[first + 2 + 12 * count :][:4])
    entries = struct.unpack("<H", data[second : second + 2])[0]
    for n in range(entries):
        at = second + 2 + 12 * n
        if struct.unpack("<H", data[at : at + 2])[0] == 254:
            data[at + 8] = 1
            break
    else:
        pytest.fail("the second page has no tag 254")
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(play(tmp_path).pixels, smooth(16, 16))


def test_a_jpeg_with_bytes_behind_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEGS["plain.jpg"]() + bytes(1000))
    assert len(play(tmp_path).pixels) == 70


def folder_with_bad_images(path: Path) -> list[np.ndarray[Any, Any]]:
    good = [smooth(rows, 20, seed=rows) for rows in (11, 12, 13)]
    (path / "0.png").write_bytes(b"nonsense")  # estimated as 1.png: 11 rows
    save(path / "1.png", good[0])
    (path / "2.png").write_bytes(encode(smooth(31, 20), "PNG")[:100])  # header says 31
    save(path / "3.png", smooth(9, 21))  # other width: 9
    save(path / "4.png", smooth(7, 20, bits=16))  # other depth: 7
    save(path / "5.png", good[1])
    (path / "6.png").write_bytes(b"")  # estimated as 5.png: 12 rows
    save(path / "7.png", good[2])
    return good


def test_skip_bad_counts_the_rows_of_bad_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = folder_with_bad_images(tmp_path)
    played = play(tmp_path, skip_bad=True)
    assert played.error is None
    assert played.losses == [
        Loss(0, 11, Cause.BAD_BLOCK, estimated=True),
        Loss(22, 31, Cause.BAD_BLOCK),
        Loss(53, 9, Cause.BAD_BLOCK),
        Loss(62, 7, Cause.BAD_BLOCK),
        Loss(81, 12, Cause.BAD_BLOCK, estimated=True),
    ]
    np.testing.assert_array_equal(played.pixels, np.concatenate(good))
    assert played.info.total_lines == 11 + 11 + 31 + 9 + 7 + 12 + 12 + 13
    assert played.captured.count() == played.info.total_lines
    for name in ("0.png", "2.png", "3.png", "4.png", "6.png"):
        assert len([r for r in caplog.records if name in r.getMessage()]) == 1


def test_without_skip_bad_the_first_misfit_is_named_before_anything_plays(tmp_path: Path) -> None:
    save(tmp_path / "1.png", smooth(9, 20))
    save(tmp_path / "2.png", smooth(9, 21))
    with pytest.raises(SourceError) as caught:
        play(tmp_path)
    text = str(caught.value)
    assert "2.png: it has 21 uint8 pixels across, the images before it 20 uint8" in text
    assert "skip_bad" in text


def test_empty_folders_and_wrong_paths(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no PNG, TIFF, BMP or JPEG images .*holds no files"):
        play(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    with pytest.raises(SourceError, match="it holds 1 other files"):
        play(tmp_path)
    with pytest.raises(SourceError, match="no such image or folder"):
        play(tmp_path / "missing")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"none of its 1 images can be read; a\.png: the file is"):
        play(tmp_path, skip_bad=True)


def test_images_that_disappear_or_change(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"{n}.png", smooth(8, 8, seed=n))
    player = ImagesPlayer(ImagesSource(path=tmp_path, skip_bad=True))
    player.open(lambda _: None)
    (tmp_path / "1.png").unlink()
    save(tmp_path / "2.png", smooth(5, 8))
    items = list(player.items())
    player.close()
    assert items[1:] == [Loss(8, 8, Cause.BAD_BLOCK), Loss(16, 8, Cause.BAD_BLOCK)]


def test_all_images_bad_while_playing_is_an_error_not_a_busy_loop(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(smooth(40, 40), "PNG")[:300])
    played = play(tmp_path, skip_bad=True, loop=True)
    assert played.losses == [Loss(0, 40, Cause.BAD_BLOCK)]
    assert "none of its images can be read" in str(played.error)


def test_looping_goes_on_with_line_numbers(tmp_path: Path) -> None:
    save(tmp_path / "a.png", smooth(10, 8))
    player = ImagesPlayer(ImagesSource(path=tmp_path, loop=True, block_lines=6))
    played = Played(player, stop_after=5)
    assert [b.first_line for b in played.blocks] == [0, 6, 10, 16, 20]
    assert played.info.total_lines is None
    np.testing.assert_array_equal(played.blocks[2].pixels, smooth(10, 8)[:6])


def test_pitch_and_rate_are_passed_on(tmp_path: Path) -> None:
    save(tmp_path / "a.png", smooth(10, 8))
    info = play(tmp_path, rate=1e6, pitch=Pitch(across_mm=0.1, along_mm=0.3)).info
    assert (info.line_rate_hz, info.across_mm, info.along_mm) == (1e6, 0.1, 0.3)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "lines", "width"), [("fabric/images", 13 * 512, 512), ("deeppcb", 24 * 640, 640)]
)
def test_real_images_play(real_data: Path, folder: str, lines: int, width: int) -> None:
    played = play(real_data / folder)
    assert played.error is None
    assert played.pixels.shape == (lines, width)
    assert played.pixels.std() > 5
