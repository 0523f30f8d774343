"""The registry of depth models, and where their files are.

Importing this module needs the standard library alone.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linescan.errors import ModelError
from linescan.records import Convention

PATCH = 14
"""Side of a patch of the vision transformer: it must divide the model's rows and columns."""

NON_COMMERCIAL = (
    "the weights are licensed CC-BY-NC-4.0, which forbids commercial use, inspection in a factory "
    "included"
)
UNRESOLVED = (
    "the licence of these weights is unresolved: they were fine-tuned from weights under "
    "CC-BY-NC-4.0, which forbids commercial use, inspection in a factory included"
)


@dataclass(frozen=True, slots=True)
class Model:
    """What the registry knows about a model.

    Attributes:
        name: what the configuration and the command line call it.
        hub_id: its checkpoint on the Hugging Face hub; None where it is embedded.
        licence: SPDX identifier of the weights' licence.
        convention: what larger outputs mean.
        input_size: rows and columns that it was trained at.
        note: one line for people.
        acknowledgement: what a user must have read before export; None where nothing.
        unit: of the scaled output: ``"relative"``, ``"um"`` or ``"mm"``.
        scale: factor from the model's output to that unit.
    """

    name: str
    hub_id: str | None
    licence: str
    convention: Convention
    input_size: tuple[int, int]
    note: str
    acknowledgement: str | None = None
    unit: str = "relative"
    scale: float = 1.0

    @property
    def embedded(self) -> bool:
        """The model's file is part of the installation."""
        return self.hub_id is None


def _depth_anything(name: str, licence: str, note: str, acknowledgement: str | None) -> Model:
    hub_id = f"depth-anything/Depth-Anything-V2-{name.capitalize()}-hf"
    return Model(name, hub_id, licence, Convention.DISPARITY, (518, 518), note, acknowledgement)


def _metric(place: str, size: str, reach: int) -> Model:
    """A metric variant: its head gives metres, ``reach`` of them at most."""
    small = size == "small"
    return Model(
        f"metric-{place}-{size}",
        f"depth-anything/Depth-Anything-V2-Metric-{place.capitalize()}-{size.capitalize()}-hf",
        "Apache-2.0" if small else "unresolved",
        Convention.DEPTH,
        (518, 518),
        f"Depth Anything V2 {size.capitalize()}, metric depth {place}s, at most {reach} m",
        None if small else UNRESOLVED,
        unit="mm",
        scale=1000.0,
    )


_MODELS = (
    Model(
        "surface-tiny",
        None,
        "Apache-2.0",
        Convention.HEIGHT,
        (252, 252),
        "embedded; 6-layer ViT-S/14 with a DPT head, trained on simulated line-scan surfaces",
    ),
    _depth_anything("small", "Apache-2.0", "Depth Anything V2 Small, 24.8 M parameters", None),
    _depth_anything(
        "base", "CC-BY-NC-4.0", "Depth Anything V2 Base, 97.5 M parameters", NON_COMMERCIAL
    ),
    _depth_anything(
        "large", "CC-BY-NC-4.0", "Depth Anything V2 Large, 335 M parameters", NON_COMMERCIAL
    ),
    *(_metric("indoor", size, 20) for size in ("small", "base", "large")),
    *(_metric("outdoor", size, 80) for size in ("small", "base", "large")),
)

REGISTRY: Mapping[str, Model] = {model.name: model for model in _MODELS}
"""All known models by name."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's file on this disk."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of ``linescan model list``.

    ``path`` and ``nbytes`` are None where the model has no file yet. A file in the model folder
    that the registry does not know has no ``model``; its card holds the rest.
    """

    name: str
    model: Model | None
    path: Path | None
    nbytes: int | None


def model_folder() -> Path:
    """Folder of exported models: ``LINESCAN_MODELS``, else the user's data folder."""
    if given := os.environ.get("LINESCAN_MODELS"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "linescan" / "models"


def model_path(name: str) -> Path:
    """Where the file of a model of that name belongs, whether or not it is there."""
    model = REGISTRY.get(name)
    if model is not None and model.embedded:
        return Path(__file__).parent / "weights" / f"{name}.onnx"
    return model_folder() / f"{name}.onnx"


def find(name_or_path: str | Path) -> ModelFile:
    """Resolve a registry name, the name of an exported model, or the path of an .onnx file.

    Raises:
        ModelError: there is no such file; the text says which command makes it.
    """
    text = str(name_or_path)
    if text.endswith(".onnx"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise ModelError(f"{path}: no such model file; 'linescan model list' names what exists")
        return ModelFile(path.stem, path)
    if Path(text).name != text or text in {"", ".", ".."}:
        raise ModelError(
            f"depth model '{text}': expected a name of 'linescan model list' or an .onnx file; "
            f"a checkpoint folder is made into one by 'linescan model export {text}'"
        )
    path = model_path(text)
    if path.is_file():
        return ModelFile(text, path)
    model = REGISTRY.get(text)
    if model is None:
        raise ModelError(_unknown(text))
    if model.embedded:
        raise ModelError(f"the embedded model '{text}' is missing at {path}: reinstall linescan")
    raise ModelError(
        f"depth model '{text}' is not exported yet (no {path}): run 'linescan model export {text}'"
    )


def list_models() -> list[Listing]:
    """All models of the registry, then other files of the model folder, by name."""
    listings = [_listing(model.name, model, model_path(model.name)) for model in _MODELS]
    others = sorted(p for p in model_folder().glob("*.onnx") if p.stem not in REGISTRY)
    return listings + [_listing(path.stem, None, path) for path in others]


def _listing(name: str, model: Model | None, path: Path) -> Listing:
    if not path.is_file():
        return Listing(name, model, None, None)
    return Listing(name, model, path, path.stat().st_size)


def _unknown(name: str) -> str:
    names = [listing.name for listing in list_models()]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"
    return f"unknown depth model '{name}': {hint}"
