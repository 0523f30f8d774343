"""Checkpoints in the Hugging Face format: where they come from, what they are, loading them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linescan.depth.backends.base import first_line
from linescan.depth.export.description import CARD, Checkpoint, describe
from linescan.depth.models import NON_COMMERCIAL, REGISTRY, UNRESOLVED, Model
from linescan.errors import ModelError
from linescan.records import Convention

FILES = ("config.json", "preprocessor_config.json", "model.safetensors", "README.md", CARD)
"""What is fetched from the hub."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def find_checkpoint(
    given: str | Path,
    *,
    acknowledge_licence: bool = False,
    convention: Convention | None = None,
    name: str | None = None,
) -> Checkpoint:
    """Find a checkpoint by registry name, local folder or hub id, in this order.

    What is given here comes before the folder's ``linescan.json``, and that before the registry. A
    local folder that is given a name of the registry is taken for a copy of that model.

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
        model = REGISTRY.get(name or "")
    elif HUB_ID.fullmatch(text):
        folder, source = _fetch(text), text
    else:
        raise ModelError(
            f"checkpoint '{text}': no such folder, and neither a name of 'linescan model list' nor "
            f"a hub id such as depth-anything/Depth-Anything-V2-Small-hf"
        )
    checkpoint = describe(folder, source, model, convention, name)
    if not acknowledge_licence:
        if checkpoint.licence.lower().startswith("cc-by-nc"):
            raise ModelError(_licence_text(text, NON_COMMERCIAL))
        if checkpoint.licence == "unresolved":
            raise ModelError(_licence_text(text, UNRESOLVED))
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
        with quiet():
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
def quiet() -> Iterator[None]:
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
            f"fetch the repository elsewhere and give its folder in place of the name"
        ) from error
