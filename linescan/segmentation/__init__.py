"""Depth above the background becomes a label mask and objects on the web.

The steps, each in a module of its own: ``background`` removes what varies slowly, ``thresholds``
says from the distribution of the rest where an object begins, ``objects`` labels and measures.
See docs/explanation/segmentation.md.
"""

from linescan.segmentation.segment import Segmenter, segment_depth
from linescan.segmentation.stage import Segment

__all__ = ["Segment", "Segmenter", "segment_depth"]
