"""All rendering: depth as 16-bit pictures, heat maps, masks and overlays, and saving them.

Needs numpy and OpenCV alone; subscribers use it too. Where OpenCV is missing, the first picture
asked for says what to install.
"""

from linescan.pictures.colours import robust_limits
from linescan.pictures.depth16 import read_depth16, write_depth16
from linescan.pictures.heatmap import render_heatmap
from linescan.pictures.mask import render_mask
from linescan.pictures.overlay import render_overlay
from linescan.pictures.save import save_inspection
from linescan.protocol.depth16 import decode_depth16, encode_depth16

__all__ = [
    "decode_depth16",
    "encode_depth16",
    "read_depth16",
    "render_heatmap",
    "render_mask",
    "render_overlay",
    "robust_limits",
    "save_inspection",
    "write_depth16",
]
