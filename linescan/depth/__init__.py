"""Depth from gray frames: models, engines and the two stages that run them.

Importing this package loads none of cv2, onnxruntime, openvino and torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from linescan.depth.card import ModelCard, read_card
from linescan.depth.engine import Engine, open_engine
from linescan.depth.models import REGISTRY, Listing, Model, ModelFile, find, list_models

if TYPE_CHECKING:
    from linescan.config import DepthSection
    from linescan.depth.inference import Inference
    from linescan.depth.resize import Resize
    from linescan.depth.warm_up import FrameCost

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
    frame: tuple[int, int],
    pitch_mm: tuple[float | None, float | None] = (None, None),
    bits: int = 16,
    report: Callable[[FrameCost], None] | None = None,
) -> tuple[Resize, Inference]:
    """The stages that turn frames into inspections with depth, as the configuration says.

    The engines are opened by the inference stage's ``setup``.

    Args:
        section: the configuration's ``depth``.
        card: of its model, see ``read_card``.
        frame: rows and columns that frames have.
        pitch_mm: size of a camera pixel on the web in mm, (along, across), where known.
        bits: significant bits of uint16 pixels.
        report: called by the inference stage's ``setup`` with what a frame costs, measured on the
            engines that it opened; nothing is measured where None.

    Raises:
        ModelError: the model does not run as configured.
    """
    from linescan.depth.framing import Framing
    from linescan.depth.inference import Inference
    from linescan.depth.resize import Resize

    framing = Framing(section, card, frame)

    def open_one(size: tuple[int, int]) -> Engine:
        return open_engine(
            card,
            backend=section.backend,
            precision=section.precision,
            size=size,
            threads=section.threads,
            tolerance=section.tolerance,
            cache=section.cache,
        )

    return Resize(framing, pitch_mm, bits), Inference(open_one, framing, report)
