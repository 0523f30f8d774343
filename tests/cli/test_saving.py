"""Pictures of frames: of the last one, too, and of each under a name of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.cli.conftest import FRAMES_ONLY, ON_CPU, Result, Start
from tests.client.helpers import Raw, message

Run = Callable[..., Result]


def test_the_last_of_a_count_is_saved_with_its_image(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    some, every = tmp_path / "some", tmp_path / "every"
    counting = start(
        *("subscribe", endpoint, "--kind", "inspection", "--count", "2", "--save", some)
    )
    staying = start("subscribe", endpoint, "--save", every, "--timeout", "40")
    pipeline = start(
        *("replay", recording, *ON_CPU, "--lines", "720", "--wait-subscribers", "2"),
        *("--set", f"publish.data={endpoint}"),
    )
    results = [Result(process) for process in (pipeline, counting, staying)]
    assert [result.code for result in results] == [0, 0, 0], [result.err for result in results]
    assert len(results[1].out.splitlines()) == 2
    names = sorted(path.name for path in some.iterdir())
    assert len(names) == 10
    for name in names:
        assert (some / name).read_bytes() == (every / name).read_bytes(), name


def test_a_count_ends_where_the_image_of_the_last_does_not_come(
    start: Start, tmp_path: Path
) -> None:
    raw = Raw()
    subscriber = start(
        *("subscribe", raw.endpoint, "--camera", "web-1", "--count", "1", "--save", tmp_path)
    )
    raw.wait_for_events()
    raw.send(*message(0))
    result = Result(subscriber)
    raw.context.destroy(linger=0)
    assert result.code == 0, result.err
    assert (tmp_path / "web-1_000000_overlay.png").exists()


def test_that_there_are_no_pictures_to_save_is_said_with_a_count_too(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    subscriber = start(
        *("subscribe", endpoint, "--kind", "inspection", "--count", "1", "--save", tmp_path)
    )
    pipeline = start(
        *("replay", recording, *FRAMES_ONLY, "--wait-subscribers", "1"),
        *("--set", f"publish.data={endpoint}"),
    )
    result = Result(subscriber)
    assert result.code == 2
    assert result.err.splitlines()[-1] == (
        "error: the pipeline publishes no depth: there are no pictures to save"
    )
    assert "Traceback" not in result.err
    assert "ignored" not in result.err
    assert Result(pipeline).code == 0


def test_pictures_of_the_same_name_do_not_replace_each_other(linescan: Run, tmp_path: Path) -> None:
    import cv2

    files = [tmp_path / name for name in ("a/x.png", "b/x.png", "b/x.tif", "x_png.bmp", "y.png")]
    for level, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), np.full((56, 56), 40 * level, np.uint8))
    out = tmp_path / "out"
    result = linescan("image", *files, *ON_CPU, "--out", out)
    assert result.code == 0, result.err
    masks = {path.name.removesuffix("_mask.png") for path in out.glob("*_mask.png")}
    assert masks == {"x_png", "x_png_2", "x_tif", "x_png_3", "y"}


def test_a_second_run_does_not_overwrite_the_pictures_of_the_first(
    start: Start, recording: Path, endpoint: str, tmp_path: Path
) -> None:
    for _ in range(2):
        subscriber = start("subscribe", endpoint, "--save", tmp_path, "--timeout", "40")
        pipeline = start(
            *("replay", recording, *ON_CPU, "--lines", "256", "--wait-subscribers", "1"),
            *("--set", f"publish.data={endpoint}", "--set", "camera=web-1"),
        )
        assert (Result(pipeline).code, Result(subscriber).code) == (0, 0)
    names = sorted(path.name for path in tmp_path.glob("*_overlay.png"))
    assert names == ["web-1-2_000000_overlay.png", "web-1_000000_overlay.png"]
