"""What can be judged: exported models, checkpoints, and baselines that no model may lose to."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from linescan.config import Config, DepthSection, FrameSection, SimulatedSource
from linescan.depth import ModelCard, read_card
from linescan.depth.resize import Resize
from linescan.errors import ModelError
from linescan.evaluation.datasets import TrueFrame
from linescan.pipeline.chain import set_up, through
from linescan.pipeline.factory import processing_stages
from linescan.records import Convention, DepthMap, Frame, Inspection, ModelInput
from linescan.sources.base import SourceInfo
from linescan.stages import FoldStage, Stage

PIXELS = "px"
"""Unit of heights in pixels of their own depth map."""
EMBEDDED = "surface-tiny"
"""Its input size is that of baselines and checkpoints where none is given."""


@dataclass(frozen=True, slots=True)
class About:
    """What is judged.

    Attributes:
        name: of the model.
        sha256: of its file, hexadecimal; None where there is none.
        engine: that ran it.
        convention: what larger values mean.
        unit: of its output: ``relative``, ``px`` (pixels of the depth map), ``um`` or ``mm``.
        noise_floor: differences below it mean nothing, after ``scale``.
        scale: factor between its output and depth maps that nothing else was done to.
        baseline: no model, but what a model has to beat.
    """

    name: str
    sha256: str | None
    engine: str
    convention: str
    unit: str
    noise_floor: float
    scale: float = 1.0
    baseline: bool = False


class Judged(Protocol):
    """Gives depth for frames, one after the other; frames of one web come in order."""

    def predict(self, frame: TrueFrame) -> DepthMap:
        """Depth of a frame; rows that are not valid are NaN.

        Raises:
            LinescanError: the model cannot run on it.
        """
        ...

    def about(self) -> About:
        """What it is; complete after the first frame."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Exported(ExitStack):
    """A model as the pipeline runs it: the configured stages from frame to depth."""

    def __init__(self, config: Config, *, pictures: bool, continuous: bool) -> None:
        """Read the model's card; its engine is opened with the first frame.

        Args:
            config: depth, and what follows it but segmentation.
            pictures: fit the model's input to the aspect of each frame, as ``linescan image`` does.
            continuous: frames follow each other, as they do in ``linescan run``.

        Raises:
            ModelError: there is no such model.
        """
        super().__init__()
        self._config, self._pictures, self._continuous = config, pictures, continuous
        self._card = read_card(config.depth.model)
        self._stages: list[Stage[Any, Any]] = []
        self._fresh: list[tuple[FoldStage[Any, Any, Any], Any]] = []
        self._key: object = None
        self._web: int | None = None
        self._bits = 0
        self._engine = "not run"

    def predict(self, frame: TrueFrame) -> DepthMap:
        """Run the stages."""
        depth = fitted(self._config.depth, self._card, frame.frame, self._pictures)
        key = (depth.size, frame.frame.pixels.shape)
        if key != self._key:
            self._open(depth, frame)
            self._key = key
        elif frame.web != self._web:
            for fold, state in self._fresh:
                fold.restore(state)
        if frame.bits != self._bits:  # the engine stays: pixels become 8 bits before it
            self._stages[0] = self._made(depth, frame)[0]
        self._web, self._bits = frame.web, frame.bits
        inspection = self._inspect(frame)
        if inspection.model is not None:
            self._engine = inspection.model.engine
        made = cast("DepthMap", inspection.depth)
        along, across = frame.pitch_mm
        return replace(made, web=replace(made.web, mm_per_line=along, mm_per_column=across))

    def about(self) -> About:
        """From the model's card and the engine that runs it."""
        card = self._card
        output = (card.convention.value, card.unit, card.noise_floor, card.scale)
        return About(card.name, card.sha256, self._engine, *output)

    def _inspect(self, frame: TrueFrame) -> Inspection:
        made = [each for each in through(self._stages, frame.frame) if isinstance(each, Inspection)]
        if len(made) != 1:
            raise ModelError(f"{frame.name}: the frame has no depth")
        return made[0]

    def _open(self, depth: DepthSection, frame: TrueFrame) -> None:
        self.close()
        self._stages, self._bits = self._made(depth, frame), frame.bits
        self.enter_context(set_up(self._stages))
        folds = [stage for stage in self._stages if isinstance(stage, FoldStage)]
        self._fresh = [(fold, fold.snapshot()) for fold in folds]

    def _made(self, depth: DepthSection, frame: TrueFrame) -> list[Stage[Any, Any]]:
        rows, width = frame.frame.pixels.shape
        off = self._config.segmentation.model_copy(update={"enabled": False})
        config = self._config.model_copy(
            update={
                "depth": depth,
                "frame": FrameSection(lines=rows, overlap=min(frame.frame.overlap, rows // 2)),
                "segmentation": off,
                "source": SimulatedSource(rate="max"),  # no line waits: cost is no concern here
            }
        )
        info = SourceInfo(
            "evaluation", width=width, bits=frame.bits, dtype=frame.frame.pixels.dtype
        )
        return processing_stages(config, info, streaming=self._continuous)


class Checkpoint:
    """The folder of a Hugging Face checkpoint of this project, run by torch in fp32.

    What its ``linescan.json`` says of the output holds. A height without a unit, as that of a
    folder that says nothing, is one in pixels of its own depth map.
    """

    def __init__(self, folder: Path, depth: DepthSection, *, pictures: bool) -> None:
        """Load the weights.

        Raises:
            ModelError: it is no checkpoint, or one with a metric head.
        """
        from linescan.depth.export.checkpoint import load_model
        from linescan.depth.export.description import CARD, describe
        from linescan.training.model import HEIGHT_OFFSET

        self._name = folder.name
        self._depth, self._pictures = depth, pictures
        said = describe(folder, "checkpoint", None, None, None)
        self._model = load_model(said)
        if self._model.config.depth_estimation_type != "relative":
            raise ModelError(f"{folder}: it has a metric head: export it, and judge the .onnx file")
        if (folder / CARD).is_file():
            self._convention, self._floor = said.convention, said.noise_floor
            self._scale, self._shift, self._unit = said.scale, said.shift, said.unit
        else:
            self._convention, self._floor = Convention.HEIGHT, 0.0
            self._scale, self._shift, self._unit = 1.0, -HEIGHT_OFFSET, "relative"
        if self._convention is Convention.HEIGHT and self._unit == "relative":
            self._unit = PIXELS

    def predict(self, frame: TrueFrame) -> DepthMap:
        """Run torch on the resized frame."""
        import torch

        from linescan.training.model import HEIGHT_OFFSET, predict_height

        given = resized(frame, self._depth, self._pictures)
        with torch.no_grad():
            made = predict_height(self._model, torch.from_numpy(given.image)[None, None])
        raw = np.asarray(made[0].numpy(), np.float32) + np.float32(HEIGHT_OFFSET)
        found = height_map(given, self._scale * raw + np.float32(self._shift), self._unit)
        return replace(found, convention=self._convention)

    def about(self) -> About:
        """No hash: the checkpoint is more than one file."""
        return About(
            self._name, None, "torch-fp32", self._convention.value, self._unit, self._floor
        )

    def close(self) -> None:
        """Nothing is held."""


def open_model(name: str, config: Config, *, pictures: bool, continuous: bool) -> Judged:
    """What a name stands for.

    Args:
        name: of ``linescan model list``, an .onnx file, the folder of a checkpoint, or
            ``baseline:NAME``.
        config: depth and what belongs to it; its model is replaced by the name.
        pictures: see ``DataSet.pictures``.
        continuous: see ``DataSet.continuous``.

    Raises:
        LinescanError: there is no such model.
    """
    from linescan.evaluation.judging.baselines import PREFIX, Baseline

    if name.startswith(PREFIX):
        return Baseline(name, config.depth, pictures=pictures)
    if (Path(name) / "config.json").is_file():
        return Checkpoint(Path(name), config.depth, pictures=pictures)
    depth = config.depth.model_copy(update={"model": name, "enabled": True})
    config = config.model_copy(update={"depth": depth})
    return Exported(config, pictures=pictures, continuous=continuous)


def fitted(section: DepthSection, card: ModelCard, frame: Frame, pictures: bool) -> DepthSection:
    """The section with the size that suits a picture's aspect, where that is left to the model."""
    free = section.mode == "resize" and section.size == "auto" and card.frame_size is None
    if not (pictures and free):
        return section
    return section.model_copy(update={"size": card.fit(*frame.pixels.shape)})


def resized(frame: TrueFrame, section: DepthSection, pictures: bool) -> ModelInput:
    """What a model of the embedded one's size sees of a frame."""
    card = read_card(EMBEDDED)
    size = card.resolve_size(fitted(section, card, frame.frame, pictures).size)
    (given,) = Resize(size, frame.pitch_mm, frame.bits).process(frame.frame)
    return cast("ModelInput", given)


def height_map(
    given: ModelInput, values: npt.NDArray[np.float32], unit: str = "relative"
) -> DepthMap:
    """A height map that needs no card."""
    values = np.array(values, np.float32)
    values[~given.valid] = np.nan
    return DepthMap(
        values=values,
        convention=Convention.HEIGHT,
        unit=unit,
        scale=1.0,
        shift=0.0,
        confidence=None,
        valid=given.valid,
        web=given.web,
    )
