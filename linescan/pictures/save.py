"""One inspection as files: what the command line's ``image`` and ``subscribe --save`` write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from linescan.errors import LinescanError
from linescan.pictures.colours import ColourMap, robust_limits
from linescan.pictures.depth16 import write_depth16
from linescan.pictures.files import encode_png, write_whole
from linescan.pictures.heatmap import render_heatmap
from linescan.pictures.mask import render_mask
from linescan.pictures.overlay import render_overlay
from linescan.records import BoolArray, DepthMap, GrayArray, LabelArray, WebObject


def save_inspection(
    folder: Path,
    stem: str,
    *,
    depth: DepthMap,
    labels: LabelArray | None = None,
    objects: Sequence[WebObject] = (),
    image: GrayArray | None = None,
    valid: BoolArray | None = None,
    first_line: int = 0,
    line_count: int | None = None,
    camera: str | None = None,
    seq: int | None = None,
    thresholds: Mapping[str, float] | None = None,
    colour_map: ColourMap = "turbo",
) -> list[Path]:
    """Write an inspection's pictures, each whole or not at all.

    ``STEM_depth.png`` and ``STEM_depth.json`` (16 bit, see ``depth16``), ``STEM_heatmap.png``,
    ``STEM_overlay.png``, and with labels ``STEM_mask.png``. Depth and mask have the depth map's
    resolution, the overlay that of the frame.

    Args:
        folder: where to; made where missing.
        stem: start of the file names.
        depth: the depth map.
        labels: (h, w) labels at its resolution; None where segmentation is off.
        objects: in web coordinates.
        image: (rows, width) the gray frame; None draws the overlay on the depth map.
        valid: (rows,) rows of the frame with a valid line.
        first_line: absolute number of the frame's first line.
        line_count: rows of the frame; those of the image where not given.
        camera: for the title and the JSON file.
        seq: sequence number, for the title and the JSON file.
        thresholds: where objects begin; the colours reach as far at least, so that a frame without
            relief looks flat.
        colour_map: the colours.

    Returns:
        The files written.

    Raises:
        LinescanError: OpenCV is missing, ``stem`` is no plain file name, the disk is full or the
            folder cannot be written to.
    """
    if not stem or "\0" in stem or Path(stem).name != stem:
        raise LinescanError(f"{stem!r}: expected the start of a file name, without folders")
    if line_count is None and image is not None:
        line_count = image.shape[0]
    about = {"camera": camera, "seq": seq, "first_line": first_line, "line_count": line_count}
    title = _title(camera, seq, first_line, line_count)
    reach = [0.0, *(thresholds or {}).values()]
    limits = robust_limits(depth.values, least_span=max(reach) - min(reach))
    heatmap = render_heatmap(depth, limits=limits, colour_map=colour_map, title=title)
    overlay = render_overlay(
        image,
        depth,
        labels,
        objects,
        first_line=first_line,
        valid=valid,
        limits=limits,
        colour_map=colour_map,
    )
    written = list(write_depth16(folder / f"{stem}_depth.png", depth, about=about))
    pictures = {"heatmap": heatmap, "overlay": overlay}
    if labels is not None:
        pictures["mask"] = render_mask(labels)
    for kind, picture in pictures.items():
        path = folder / f"{stem}_{kind}.png"
        write_whole(path, encode_png(picture))
        written.append(path)
    return written


def _title(camera: str | None, seq: int | None, first_line: int, line_count: int | None) -> str:
    parts = [camera] if camera else []
    if seq is not None:
        parts.append(f"frame {seq}")
    if line_count:
        parts.append(f"lines {first_line} to {first_line + line_count - 1}")
    return "   ".join(parts)
