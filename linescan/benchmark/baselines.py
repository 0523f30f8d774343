"""The two baselines: how depth is made without linescan."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from linescan.benchmark.contender import Contender, GrayFrame
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.subject import Subject
from linescan.depth.backends.base import first_line
from linescan.depth.card import import_onnxruntime
from linescan.depth.export.random_weights import ARCHITECTURES
from linescan.depth.models import PATCH, model_path
from linescan.errors import install_hint
from linescan.records import FloatArray

TRANSFORMERS, ONNXRUNTIME = "transformers", "onnxruntime-fp32"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
EMBEDDED = "surface-tiny"
BICUBIC = 3
"""``PIL.Image.Resampling.BICUBIC``, as the published image processor has it."""


class TransformersBaseline(Contender):
    """``pipeline("depth-estimation")`` on the gray frame, duplicated to RGB as a PIL image.

    The image processor is that of the published models, bicubic with ImageNet normalisation, but it
    resizes to exactly the model's size as we do: with the aspect kept, another frame than a square
    one would give the baseline more tokens than ours. The pipeline resizes its depth to the frame
    and makes an 8-bit picture of it, asked for or not.

    Args:
        subject: with a checkpoint, or of an architecture that can be had with random weights.
        folder: for such weights.
        threads: of torch.

    Raises:
        BenchmarkError: transformers is not installed, or the weights cannot be had.
    """

    precision = "fp32"

    def __init__(self, subject: Subject, folder: Path, threads: int) -> None:
        super().__init__(TRANSFORMERS)
        self._torch, transformers = _import_transformers()
        model, said = _model(subject, folder)
        rows, columns = subject.size
        processor = transformers.DPTImageProcessor(
            size={"height": rows, "width": columns},
            keep_aspect_ratio=False,
            ensure_multiple_of=PATCH,
            resample=BICUBIC,
            do_rescale=True,
            do_normalize=True,
            image_mean=MEAN.tolist(),
            image_std=STD.tolist(),
            do_pad=False,
        )
        self._torch.set_num_threads(threads)
        self._pipeline = transformers.pipeline(
            "depth-estimation", model=model, image_processor=processor
        )
        self.has_weights = subject.checkpoint is not None
        self.device = f"torch on {self._pipeline.device}, {threads} threads"
        self.contains = (
            f"uint8 frame, duplicated to an RGB PIL image, {type(processor).__name__}, model, "
            f"depth resized to the frame, 8-bit picture{said}"
        )
        self._began = 0
        self._expected = (1, 3, rows, columns)
        self._pipeline.model.register_forward_pre_hook(self._note_begin, with_kwargs=True)
        self._pipeline.model.register_forward_hook(self._note_end)

    def run(self, frame: GrayFrame) -> FloatArray:
        """Frame to depth at the frame's size, (rows, columns) float32."""
        from PIL import Image

        image = Image.fromarray(np.repeat(frame[:, :, None], 3, axis=2))
        depth: FloatArray = self._pipeline(image)["predicted_depth"].numpy()
        return depth

    def depth_of(self, image: GrayFrame) -> FloatArray:
        """The model alone."""
        pixels = self._torch.from_numpy(_normalised(image)).to(self._pipeline.device)
        with self._torch.inference_mode():
            output = self._pipeline.model(pixel_values=pixels).predicted_depth
        return np.asarray(output[0].float().cpu().numpy(), np.float32)

    def close(self) -> None:
        """Drop the model."""
        del self._pipeline

    def _note_begin(self, _model: Any, _args: Any, given: dict[str, Any]) -> None:
        shape = tuple(given["pixel_values"].shape)
        if shape != self._expected:
            raise BenchmarkError(f"the image processor made {shape}, not {self._expected}")
        self._began = time.perf_counter_ns()

    def _note_end(self, *_: Any) -> None:
        if self._pipeline.device.type == "cuda":
            self._torch.cuda.synchronize()
        self.model_ns = time.perf_counter_ns() - self._began


class OnnxRuntimeBaseline(Contender):
    """ONNX Runtime on the CPU; resizing and normalisation with NumPy.

    Its settings are the defaults; only the number of threads follows ``threads`` where given.

    Where the checkpoint is here, the model is a plain ``torch.onnx.export`` of it, three float
    channels in; else it is our own gray file.

    Raises:
        BenchmarkError: the model cannot be exported or loaded.
    """

    precision = "fp32"

    def __init__(self, subject: Subject, folder: Path, threads: int | None = None) -> None:
        super().__init__(ONNXRUNTIME)
        self._size = subject.size
        self._gray = subject.checkpoint is None
        path = subject.card.path
        if subject.checkpoint is not None:
            path = _plain_export(subject, folder)
        runtime = import_onnxruntime()
        settings = runtime.SessionOptions()
        if threads is not None:
            settings.intra_op_num_threads = threads
        try:
            self._session = runtime.InferenceSession(
                str(path), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BenchmarkError(f"ONNX Runtime cannot load it: {first_line(error)}") from error
        self._input = self._session.get_inputs()[0].name
        self.device = f"CPU, {'default' if threads is None else threads} threads"
        what = (
            "bicubic resize, our gray export"
            if self._gray
            else "bicubic resize, duplicated and normalised in NumPy, plain torch.onnx.export"
        )
        self.contains = f"uint8 frame, {what}, float32 depth at the model's size"

    def run(self, frame: GrayFrame) -> FloatArray:
        """Resize, prepare, infer."""
        rows, columns = self._size
        image = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return self.depth_of(np.asarray(image, np.uint8))

    def depth_of(self, image: GrayFrame) -> FloatArray:
        """Prepare and infer."""
        given = image[None, None] if self._gray else _normalised(image)
        began = time.perf_counter_ns()
        (depth,) = self._session.run(None, {self._input: given})
        self.model_ns = time.perf_counter_ns() - began
        return np.asarray(depth[0], np.float32)

    def close(self) -> None:
        """Drop the session."""
        del self._session


def _normalised(image: GrayFrame) -> FloatArray:
    """(1, 3, h, w) float32 as the encoder was trained on."""
    colour = np.repeat(image[:, :, None], 3, axis=2).astype(np.float32) / 255
    return np.ascontiguousarray(((colour - MEAN) / STD).transpose(2, 0, 1)[None], np.float32)


def _import_transformers() -> tuple[Any, Any]:
    try:
        import PIL.Image  # noqa: F401 - the pipeline needs it
        import torch
        import transformers
    except ImportError as error:
        raise BenchmarkError(
            f"transformers, torch or pillow is not installed; {install_hint('export')} ({error})"
        ) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers


def _model(subject: Subject, folder: Path) -> tuple[Any, str]:
    """The model for transformers, and what must be said about its weights."""
    from transformers import DepthAnythingForDepthEstimation

    checkpoint = subject.checkpoint
    if checkpoint is not None:
        return DepthAnythingForDepthEstimation.from_pretrained(str(checkpoint)), ""
    name = subject.card.name
    said = " (same architecture, random weights: the checkpoint is not here)"
    if subject.card.path == model_path(EMBEDDED):  # others may bear its name
        return DepthAnythingForDepthEstimation(_embedded_config()).eval(), said
    from linescan.depth.export import random_checkpoint

    if name not in ARCHITECTURES:
        raise BenchmarkError(
            f"the checkpoint of '{name}' is not here: give its folder as --model to have it "
            f"exported and measured"
        )
    path = random_checkpoint(name, folder / "same-architecture")
    return DepthAnythingForDepthEstimation.from_pretrained(str(path)), said


def _embedded_config() -> Any:
    """Of ``surface-tiny``: half the layers of a ViT-S, and the published head."""
    from transformers import Dinov2Config

    from linescan.training.model import build_config

    encoder = Dinov2Config(
        hidden_size=384, num_attention_heads=6, num_hidden_layers=12, image_size=518, patch_size=14
    )
    return build_config(encoder, layers=6)


def _plain_export(subject: Subject, folder: Path) -> Path:
    """What ``torch.onnx.export`` makes of the checkpoint, its defaults untouched."""
    torch, transformers = _import_transformers()
    model = transformers.DepthAnythingForDepthEstimation.from_pretrained(str(subject.checkpoint))
    path = folder / "plain.onnx"
    example = torch.zeros(1, 3, *subject.size)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(model.eval(), (example,), str(path), dynamo=True, verbose=False)
    except Exception as error:  # the exporter raises what it likes
        raise BenchmarkError(f"torch.onnx.export failed: {first_line(error)}") from error
    return path
