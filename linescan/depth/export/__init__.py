"""From a Depth Anything checkpoint to the ONNX file that the engines run.

Importing this package loads neither torch nor transformers; calling ``export`` does.
"""

from linescan.depth.export.exporter import export
from linescan.depth.export.report import Check, ExportReport

__all__ = ["Check", "ExportReport", "export"]
