"""Comparing a finished file once more with the checkpoint that it was made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from linescan.depth.card import ModelCard
from linescan.depth.export.checkpoint import find_checkpoint, load_model
from linescan.depth.export.needs import require
from linescan.depth.export.report import MAX_DEVIATION, MAX_ERROR, MAX_STORAGE_ERROR, Check


def compare_again(
    card: ModelCard,
    record: Mapping[str, Any],
    checkpoint: str | Path,
    *,
    acknowledge_licence: bool = False,
) -> tuple[Check, ...]:
    """Run a file and its checkpoint on the images that the export used.

    Args:
        card: of the file.
        record: of its export.
        checkpoint: a registry name, a local folder in the Hugging Face format, or a hub id.
        acknowledge_licence: the user has read that the licence forbids commercial use.

    Raises:
        ModelError: a package or the checkpoint is missing, or the two do not agree within the
            bound of the file's form; a quantised file has none.
    """
    require()
    import onnx

    from linescan.depth.export.frame import frame_resize
    from linescan.depth.export.verify import compare, references, sizes_to_check

    found = find_checkpoint(
        checkpoint, acknowledge_licence=acknowledge_licence, convention=card.convention
    )
    sizes = sizes_to_check(card.input_size, dynamic=card.dynamic)
    resizing = None
    if card.frame_size is not None:
        resizing = frame_resize(card.frame_size, card.input_size, card.channels)
        sizes = [card.frame_size]
    made = references(load_model(found), found, sizes, card.channels, resizing)
    return compare(onnx.load(card.path), made, *_bound(card, record))


def _bound(
    card: ModelCard, record: Mapping[str, Any]
) -> tuple[Literal["error", "deviation"], float]:
    if card.precision == "int8":
        return "deviation", math.inf
    if card.precision != "fp32":
        return "deviation", MAX_DEVIATION
    return "error", MAX_STORAGE_ERROR if record.get("storage_checks") else MAX_ERROR
