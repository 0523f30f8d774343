"""The same weights twice: as a file for gray and as a file for RGB, and one engine for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from linescan.depth import Engine, ModelCard, open_engine, read_card
from linescan.depth.models import REGISTRY
from linescan.errors import ModelError
from linescan.evaluation.choice import EngineChoice

Say = Callable[[str, float], None]
"""Told what is being done and the share, 0 to 1, that is done."""


@dataclass(frozen=True, slots=True)
class EnginePair:
    """The two engines, of the same backend, precision and size."""

    gray: Engine
    rgb: Engine


@contextmanager
def open_pair(
    model: str,
    size: tuple[int, int] | None = None,
    choice: EngineChoice | None = None,
    *,
    acknowledge_licence: bool = False,
    say: Say = lambda _text, _share: None,
) -> Iterator[EnginePair]:
    """Export a checkpoint in both forms into a temporary folder, and open both.

    Args:
        model: a registry name, a hub id, or the folder of a checkpoint.
        size: rows and columns of the model's input; its own where None.
        choice: what runs them.
        acknowledge_licence: the user has read that the licence forbids commercial use.
        say: told of progress.

    Raises:
        ModelError: the checkpoint cannot be had or exported, or no engine runs it.
    """
    choice = choice or EngineChoice()
    _refuse_onnx(model)
    with TemporaryDirectory(prefix="linescan-gray-rgb-") as name, ExitStack() as engines:
        folder = Path(name)
        rgb_card = _export(model, folder, 3, size, acknowledge_licence, say)
        gray_card = _export(model, folder, 1, size, acknowledge_licence, say)
        say("opening the engines", 0.9)
        open_here = partial(open_engine, threads=choice.threads, cache=folder / "cache")
        rgb = open_here(rgb_card, choice.backend, choice.precision)
        engines.enter_context(closing(rgb))
        gray = open_here(gray_card, rgb.backend, rgb.precision)
        engines.enter_context(closing(gray))
        say("ready", 1.0)
        yield EnginePair(gray, rgb)


def _export(
    model: str,
    folder: Path,
    channels: Literal[1, 3],
    size: tuple[int, int] | None,
    acknowledge_licence: bool,
    say: Say,
) -> ModelCard:
    from linescan.depth.export import export

    name = {1: "gray", 3: "rgb"}[channels]
    start = {3: 0.0, 1: 0.45}[channels]
    report = export(
        model,
        folder / f"{name}.onnx",
        size=size,
        channels=channels,
        acknowledge_licence=acknowledge_licence,
        progress=lambda text, share: say(f"{name}: {text}", start + 0.45 * share),
    )
    return read_card(report.path)


def _refuse_onnx(model: str) -> None:
    """An exported file holds the sum over the channels: it cannot be taken apart again."""
    known = REGISTRY.get(model)
    if model.endswith(".onnx") or (known is not None and known.embedded):
        what = "is embedded in its gray form" if known else "is an exported file"
        raise ModelError(
            f"model '{model}' {what}, in which the colour channels are already summed up: give the "
            f"checkpoint it was made from, a folder with config.json and model.safetensors"
        )


def is_published_small(source: str) -> bool:
    """Whether a checkpoint is Depth Anything V2 Small, by its hub id or the name of its folder."""
    hub_id = REGISTRY["small"].hub_id or ""
    return source in (hub_id, hub_id.rpartition("/")[2])
