"""GenICam cameras through GenTL producers, acquired in a process of their own.

The GenICam library never releases Python's interpreter lock and runs vendors' code. So a camera
lives in a spawned child (``child``) that configures it (``device``), polls it and copies its blocks
into a ring of shared memory (``ring``); the parent (``camera``) takes them out in order.
"""

from linescan.sources.genicam.camera import GenicamCamera

__all__ = ["GenicamCamera"]
