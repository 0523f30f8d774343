"""The packages that an export needs."""

from __future__ import annotations

from importlib import import_module

from linescan.errors import ModelError, install_hint

NEEDED = ("torch", "transformers", "huggingface_hub", "onnx", "onnxscript")


def require() -> None:
    """Raise a ``ModelError`` that names what is missing and how to get it."""
    for package in NEEDED:
        try:
            import_module(package)
        except ImportError as error:
            raise ModelError(
                f"exporting a model needs the package {package}; {install_hint('export')} ({error})"
            ) from error
