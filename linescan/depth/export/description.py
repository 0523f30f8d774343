"""What a checkpoint in the Hugging Face format is: its folder's own word, then the registry's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linescan.depth.models import Model
from linescan.errors import ModelError
from linescan.records import Convention

CARD = "linescan.json"
"""In a checkpoint's folder: what this project knows about it; written by the training."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
UNITS = ("relative", "um", "mm")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this disk and what is known about it.

    ``mean`` and ``std`` normalise each channel after a division by 255. Differences of the scaled
    output below ``noise_floor`` mean nothing; 0 where that is not known.
    """

    folder: Path
    source: str
    name: str
    convention: Convention
    unit: str
    scale: float
    shift: float
    noise_floor: float
    licence: str
    input_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def describe(
    folder: Path, source: str, model: Model | None, convention: Convention | None, name: str | None
) -> Checkpoint:
    """Describe the checkpoint in a folder.

    Args:
        folder: where its files are.
        source: where it came from, for people.
        model: its entry in the registry, where it has one.
        convention: what larger outputs mean; comes before what folder and registry say.
        name: likewise.

    Raises:
        ModelError: it is no Depth Anything checkpoint, or what it says of itself is not usable.
    """
    config = _read_json(folder, "config.json", required=True)
    if config.get("model_type") != "depth_anything":
        raise ModelError(
            f"{folder / 'config.json'}: model_type is {config.get('model_type')!r}, "
            f"expected 'depth_anything'"
        )
    card = _read_json(folder, CARD)
    processor = _read_json(folder, "preprocessor_config.json")
    try:
        return Checkpoint(
            folder=folder,
            source=source,
            name=_name(
                name or card.get("name") or (model.name if model else source.split("/")[-1])
            ),
            convention=convention or _convention(card, model, config),
            unit=_one_of(card.get("unit", model.unit if model else "relative"), UNITS),
            scale=_number(card.get("scale", model.scale if model else 1.0), allow_zero=False),
            shift=_number(card.get("shift", 0.0)),
            noise_floor=abs(_number(card.get("noise_floor", 0.0))),
            licence=str(card.get("licence") or (model.licence if model else _readme(folder))),
            input_size=_input_size(card, model, config),
            mean=_channels(processor.get("image_mean", IMAGENET_MEAN)),
            std=_channels(processor.get("image_std", IMAGENET_STD)),
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"{folder}: what the checkpoint says about itself: {error}") from error


def _read_json(folder: Path, name: str, *, required: bool = False) -> Mapping[str, Any]:
    path = folder / name
    if not required and not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: expected a checkpoint's {name}: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object")
    return data


def _convention(
    card: Mapping[str, Any], model: Model | None, config: Mapping[str, Any]
) -> Convention:
    if "convention" in card:
        return Convention(_one_of(card["convention"], tuple(Convention)))
    if model is not None:
        return model.convention
    if config.get("depth_estimation_type", "relative") != "relative":
        raise ValueError(
            "a metric head's output may mean depth or height: state the convention, in "
            f"{CARD} or with --convention"
        )
    return Convention.DISPARITY


def _input_size(
    card: Mapping[str, Any], model: Model | None, config: Mapping[str, Any]
) -> tuple[int, int]:
    if "input_size" in card:
        rows, columns = card["input_size"]
        return int(rows), int(columns)
    if model is not None:
        return model.input_size
    side = config.get("backbone_config", {}).get("image_size", 518)
    return int(side), int(side)


def _readme(folder: Path) -> str:
    """The licence that the front matter of a hub repository's README names."""
    path = folder / "README.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")[:4096]
        if found := re.search(r"^license:\s*['\"]?([\w.-]+)", text, re.MULTILINE):
            return found[1]
    return "unknown"


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"name {value!r}: expected letters, digits, '.', '_' and '-'")
    return value


def _one_of(value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"{value!r}: expected one of {', '.join(known)}")
    return str(value)


def _number(value: Any, *, allow_zero: bool = True) -> float:
    number = float(value)
    if not math.isfinite(number) or (number == 0.0 and not allow_zero):
        raise ValueError(f"scale or shift {value!r}: expected a finite number, scale not 0")
    return number


def _channels(values: Any) -> tuple[float, ...]:
    channels = tuple(float(v) for v in values)
    if len(channels) != 3:
        raise ValueError(f"image_mean and image_std: expected 3 values, got {len(channels)}")
    return channels
