"""Checkpoints in the Hugging Face format: where they come from, what they are, loading them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linescan.depth.backends.base import first_line
from linescan.depth.models import NON_COMMERCIAL, REGISTRY, Model
from linescan.errors import ModelError
from linescan.records import Convention

CARD = "linescan.json"
"""In a checkpoint's folder: what this project knows about it; written by the training."""
FILES = ("config.json", "preprocessor_config.json", "model.safetensors", "README.md", CARD)
"""What is fetched from the hub."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
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


def find_checkpoint(
    given: str | Path,
    *,
    acknowledge_licence: bool = False,
    convention: Convention | None = None,
    name: str | None = None,
) -> Checkpoint:
    """Find a checkpoint by registry name, local folder or hub id, in this order.

    What is given here comes before the folder's ``linescan.json``, and that before the registry.

    Raises:
        ModelError: no such checkpoint, the hub cannot be reached, the licence needs an
            acknowledgement, or what the folder says about itself is not usable.
    """
    text = str(given)
    model = REGISTRY.get(text) or _by_hub_id(text)
    if model is not None and model.embedded:
        raise ModelError(f"'{text}' is embedded, there is nothing to export: use it by its name")
    if model is not None and model.acknowledgement and not acknowledge_licence:
        raise ModelError(_licence_text(text, model.acknowledgement))
    if model is not None and model.hub_id is not None:
        folder, source = _fetch(model.hub_id), model.hub_id
    elif Path(text).is_dir():
        folder, source = Path(text), Path(text).resolve().name
    elif HUB_ID.fullmatch(text):
        folder, source = _fetch(text), text
    else:
        raise ModelError(
            f"checkpoint '{text}': no such folder, and neither a name of 'linescan model list' nor "
            f"a hub id such as depth-anything/Depth-Anything-V2-Small-hf"
        )
    checkpoint = _describe(folder, source, model, convention, name)
    if checkpoint.licence.lower().startswith("cc-by-nc") and not acknowledge_licence:
        raise ModelError(_licence_text(text, NON_COMMERCIAL))
    return checkpoint


def load_model(checkpoint: Checkpoint) -> Any:
    """The checkpoint as a ``DepthAnythingForDepthEstimation`` in fp32 with eager attention.

    Eager attention: the exporter turns scaled dot-product attention into twelve extra pairs of
    IsNaN and Where.

    Raises:
        ModelError: the weights are missing, damaged, or not those of the configuration.
    """
    import torch
    from transformers import DepthAnythingForDepthEstimation

    folder = checkpoint.folder
    try:
        with _quiet():
            model, info = DepthAnythingForDepthEstimation.from_pretrained(
                str(folder),
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except Exception as error:  # damaged files raise whatever their reader raises
        raise ModelError(
            f"{folder}: the checkpoint cannot be loaded: {first_line(error)}"
        ) from error
    # transformers makes up random numbers for what does not fit, and only warns.
    lacking = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    if lacking:
        raise ModelError(
            f"{folder}: {len(lacking)} weights are missing or of another shape than config.json "
            f"says, such as {lacking[0]}"
        )
    return model.eval()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and warnings away: what they warn of is an error here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _by_hub_id(text: str) -> Model | None:
    return next((model for model in REGISTRY.values() if model.hub_id == text), None)


def _licence_text(given: str, why: str) -> str:
    return f"'{given}': {why}; export it with --acknowledge-licence if that suits your use"


def _fetch(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(FILES)))
    except Exception as error:  # the hub's, HTTP's and the socket's errors
        raise ModelError(
            f"checkpoint '{hub_id}' cannot be had from the Hugging Face hub, nor from its cache "
            f"({first_line(error)}); where the hub is out of reach, "
            f"fetch the repository elsewhere and give its folder: linescan model export FOLDER"
        ) from error


def _describe(
    folder: Path, source: str, model: Model | None, convention: Convention | None, name: str | None
) -> Checkpoint:
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
            unit=_one_of(card.get("unit", "relative"), ("relative", "um", "mm")),
            scale=_number(card.get("scale", 1.0), allow_zero=False),
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
