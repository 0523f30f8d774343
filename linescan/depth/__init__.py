"""Depth from gray frames: models, engines and the two stages that run them.

Importing this package loads none of cv2, onnxruntime, openvino and torch.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from linescan.depth.card import ModelCard, read_card
from linescan.depth.engine import Engine, open_engine
from linescan.depth.models import REGISTRY, Listing, Model, ModelFile, find, list_models

if TYPE_CHECKING:
    from linescan.config import DepthSection
    from linescan.depth.inference import Inference
    from linescan.depth.resize import Resize

__all__ = [
    "REGISTRY",
    "Engine",
    "Listing",
    "Model",
    "ModelCard",
    "ModelFile",
    "depth_stages",
    "find",
    "list_models",
    "open_engine",
    "read_card",
]


def depth_stages(
    section: DepthSection,
    card: ModelCard,
    pitch_mm: tuple[float | None, float | None] = (None, None),
    bits: int = 16,
) -> tuple[Resize, Inference]:
    """The stages that turn frames into inspections with depth, as the configuration says.

    The engine is opened by the inference stage's ``setup``.

    Args:
        section: the configuration's ``depth``.
        card: of its model, see ``read_card``.
        pitch_mm: size of a camera pixel on the web in mm, (along, across), where known.
        bits: significant bits of uint16 pixels.

    Raises:
        ModelError: the model does not run at the configured size.
    """
    from linescan.depth.inference import Inference
    from linescan.depth.resize import Resize

    size = card.resolve_size(section.size)
    engine = partial(
        open_engine,
        card,
        backend=section.backend,
        precision=section.precision,
        size=size,
        threads=section.threads,
    )
    return Resize(size, pitch_mm, bits), Inference(engine)
