"""From a Depth Anything checkpoint to the ONNX file that the engines run.

Importing this package loads neither torch nor transformers; calling its functions does.
"""

from linescan.depth.export.again import compare_again
from linescan.depth.export.exporter import export
from linescan.depth.export.random_weights import random_checkpoint
from linescan.depth.export.report import Check, ExportReport, Form

__all__ = ["Check", "ExportReport", "Form", "compare_again", "export", "random_checkpoint"]
