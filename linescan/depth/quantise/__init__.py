"""Quantising an exported model to int8: its twin in bytes, with its measured deviation."""

from linescan.depth.quantise.deviation import Deviation
from linescan.depth.quantise.quantiser import MIN_FRAMES, quantise
from linescan.depth.quantise.report import Part, QuantiseReport, Speed

__all__ = ["MIN_FRAMES", "Deviation", "Part", "QuantiseReport", "Speed", "quantise"]
