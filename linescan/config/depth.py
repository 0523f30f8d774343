"""Depth from gray frames: the ``depth`` part of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linescan.config.base import Extent, Section

ModelSide = Annotated[int, Field(ge=28, le=4088, multiple_of=14)]
"""A side of the model's input: the patch size of 14 must divide it."""


class DepthSection(Section):
    """Depth from gray frames."""

    enabled: bool = True
    """Switch off to deliver frames alone."""
    model: str = "surface-tiny"
    """A name of ``linescan model list``, or the path of an exported .onnx file."""
    backend: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = "auto"
    """What runs the model; ``auto`` takes the fastest that loads and agrees with the reference."""
    precision: Literal["auto", "fp32", "fp16", "bf16", "bf16_mixed"] = "auto"
    """Arithmetic of the engine; ``bf16_mixed`` is an encoder in bf16 and a head in fp32. ``auto``
    takes the fastest that agrees with the reference."""
    tolerance: float = Field(default=0.02, gt=0.0, le=1.0)
    """Most deviation from the fp32 reference that an engine may show: RMS after an affine
    alignment, in standard deviations of the reference's depth."""
    mode: Literal["resize", "letterbox", "tile"] = "resize"
    """How a frame meets the model's input: stretched to it, fitted into it with its aspect kept, or
    cut into overlapping tiles that are fitted to a coarse pass over the whole frame."""
    size: tuple[ModelSide, ModelSide] | Literal["auto"] = "auto"
    """Rows and columns of the model's input, multiples of 14; ``auto`` takes the model's own. For
    ``letterbox``, a dynamic model then takes the frame's aspect, with as many pixels."""
    tile: Extent | Literal["auto"] = "auto"
    """For ``tile``: camera lines that a tile covers along the web, and as many pixels across where
    the model's input is square; ``auto`` takes the frame's shorter side."""
    tile_overlap: float = Field(default=0.125, ge=0.05, le=0.5)
    """For ``tile``: share of a tile's side, at least, that it has in common with the next."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """CPU threads of the engine; all cores where not given."""
    cache: Path | None = None
    """Folder for engines that were built and choices that were made; the user's cache folder where
    not given."""
