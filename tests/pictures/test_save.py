"""An inspection's files: all of them, whole, or one clear sentence."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from linescan.errors import LinescanError
from linescan.pictures import read_depth16, render_mask, save_inspection
from tests.pictures.maps import bump, depth_of, thing, web_of

IMAGE = np.full((840, 840), 120, np.uint8)
DEPTH = depth_of(bump(), web=web_of((84, 84), IMAGE.shape, first_line=4096))
LABELS = np.zeros((84, 84), np.uint16)
LABELS[30:50, 30:50] = 1


def save(folder: Path, stem: str = "web-1_000007") -> list[Path]:
    return save_inspection(
        folder,
        stem,
        depth=DEPTH,
        labels=LABELS,
        objects=[thing(1, 4396, 300, 200, 10.0)],
        image=IMAGE,
        first_line=4096,
        camera="web-1",
        seq=7,
    )


def test_all_files_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    written = save(folder)
    names = {
        f"web-1_000007_{end}"
        for end in ("depth.png", "depth.json", "heatmap.png", "overlay.png", "mask.png")
    }
    assert {path.name for path in written} == names == {path.name for path in folder.iterdir()}
    depth, sidecar = read_depth16(folder / "web-1_000007_depth.png")
    assert np.abs(depth.values - DEPTH.values).max() <= sidecar["scale"] / 2 + 1e-6
    about = {key: sidecar[key] for key in ("camera", "seq", "first_line", "line_count")}
    assert about == {"camera": "web-1", "seq": 7, "first_line": 4096, "line_count": 840}
    mask = cv2.imread(str(folder / "web-1_000007_mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert np.array_equal(mask, np.where(LABELS > 0, 255, 0))
    overlay = cv2.imread(str(folder / "web-1_000007_overlay.png"))
    assert overlay is not None
    assert overlay.shape == (840, 840, 3)


def test_without_segmentation_and_image(tmp_path: Path) -> None:
    written = save_inspection(tmp_path, "a", depth=DEPTH)
    assert [path.name for path in written] == [
        "a_depth.png",
        "a_depth.json",
        "a_heatmap.png",
        "a_overlay.png",
    ]


def test_saving_again_replaces(tmp_path: Path) -> None:
    first = save(tmp_path)
    first[0].write_bytes(b"old")
    save(tmp_path)
    assert read_depth16(first[0])[0].values.shape == (84, 84)
    assert not list(tmp_path.glob("*.part"))


def test_the_mask_is_0_and_255() -> None:
    mask = render_mask(LABELS * 7)
    assert mask.dtype == np.uint8
    assert np.array_equal(np.unique(mask), [0, 255])
    assert np.array_equal(mask > 0, LABELS > 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence_and_leaves_no_part(tmp_path: Path) -> None:
    """A real write error: the part is a link to the device that is always full."""
    part = tmp_path / "web-1_000007_depth.png.part"
    part.symlink_to("/dev/full")
    with pytest.raises(LinescanError, match=r"cannot write the picture: No space left on device"):
        save(tmp_path)
    assert not list(tmp_path.glob("*.part"))
    assert not (tmp_path / "web-1_000007_depth.png").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LinescanError, match="cannot write the picture") as caught:
        save(tmp_path / "taken" / "pictures")
    assert "taken" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_way_of_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "web-1_000007_mask.png").mkdir()
    with pytest.raises(LinescanError, match=r"mask\.png: cannot write the picture"):
        save(tmp_path)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("stem", ["", "a/b", "../a", "/a", "a\0b"])
def test_a_stem_is_no_path(tmp_path: Path, stem: str) -> None:
    with pytest.raises(LinescanError, match="without folders"):
        save(tmp_path / "inner", stem)
    assert not list(tmp_path.iterdir())


def test_the_colours_of_a_flat_frame_reach_as_far_as_the_thresholds(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, (60, 60)).astype(np.float32)
    flat = dataclasses.replace(DEPTH, values=noise, valid=np.ones(60, np.bool_))

    def colours(stem: str, thresholds: dict[str, float] | None) -> float:
        save_inspection(tmp_path, stem, depth=flat, thresholds=thresholds)
        picture = cv2.imread(str(tmp_path / f"{stem}_heatmap.png"))
        assert picture is not None
        middle = picture[picture.shape[0] // 2, 20 : picture.shape[1] // 2]
        return float(middle.astype(np.float64).std(axis=0).max())

    assert colours("plain", None) > 3 * colours("held", {"raised": 0.5, "sunk": -0.5})
