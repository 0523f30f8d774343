"""The model under test: its file, and the checkpoint that the baselines need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.options import Options
from linescan.depth.card import ModelCard, read_card
from linescan.depth.models import find

Progress = Callable[[str, float], None]
"""Called with what is being done and the share, 0 to 1, that is done."""
INT8 = "-int8.onnx"
"""Ends the name of a quantised file beside its original."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure.

    Attributes:
        card: of its .onnx file.
        size: rows and columns of the model.
        checkpoint: folder of its weights for transformers; None where only the .onnx file is here.
        trained: False where the weights are random: deviations mean nothing then.
        int8: cards of quantised files of it.
    """

    card: ModelCard
    size: tuple[int, int]
    checkpoint: Path | None
    trained: bool
    int8: tuple[ModelCard, ...] = ()


def prepare(options: Options, folder: Path, progress: Progress) -> Subject:
    """Find the model that the options name; checkpoints are exported into ``folder``.

    Raises:
        ModelError: there is no such model, it cannot be exported, or does not run at that size.
        BenchmarkError: the options do not fit the model.
    """
    checkpoint = _checkpoint(options, folder, progress)
    if checkpoint is None:
        if options.resize_in_model:
            raise BenchmarkError(
                f"--resize-in-model exports a model anew: give a checkpoint's folder or "
                f"--random-weights, not '{options.model}'"
            )
        card = read_card(options.model or "")
        size = card.resolve_size(options.size or "auto")
    else:
        card = _export(checkpoint, options, folder, progress)
        size = card.input_size
    if card.channels != 1:
        raise BenchmarkError(
            f"{card.path}: takes {card.channels} channels; frames are gray: give the gray export"
        )
    if card.precision != "fp32":
        how = ", and this file with --int8" if card.precision == "int8" else ""
        raise BenchmarkError(
            f"{card.path}: computes in {card.precision}; engines are compared with the fp32 "
            f"original: give that{how}"
        )
    if card.frame_size is not None and card.frame_size != options.frame:
        frame = "x".join(map(str, card.frame_size))
        raise BenchmarkError(f"{card.path}: takes frames of {frame}: give --frame {frame}")
    trained = options.random_weights is None
    return Subject(card, size, checkpoint, trained, _quantised(options, card))


def _checkpoint(options: Options, folder: Path, progress: Progress) -> Path | None:
    if options.random_weights is not None:
        from linescan.depth.export import random_checkpoint

        progress("making random weights", 0.0)
        return random_checkpoint(options.random_weights, folder / "random")
    given = Path(options.model or "").expanduser()
    return given if given.is_dir() and (given / "config.json").is_file() else None


def _export(checkpoint: Path, options: Options, folder: Path, progress: Progress) -> ModelCard:
    from linescan.depth.export import export

    report = export(
        checkpoint,
        folder / "model.onnx",
        size=options.size,
        frame_size=options.frame if options.resize_in_model else None,
        acknowledge_licence=True,  # to measure a model on one's own machine is no production
        progress=progress,
    )
    return read_card(report.path)


def _quantised(options: Options, card: ModelCard) -> tuple[ModelCard, ...]:
    paths = list(options.int8)
    beside = card.path.with_name(card.path.stem + INT8)
    if not paths and beside.is_file():
        paths = [beside]
    cards = []
    for path in paths:
        found = read_card(find(str(path)) if path.suffix == ".onnx" else path)
        if found.precision != "int8":
            raise BenchmarkError(
                f"{path}: --int8 takes a file that 'linescan model quantise' made, this one is "
                f"{found.precision}"
            )
        cards.append(found)
    return tuple(cards)
