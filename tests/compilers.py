"""What tests need of this machine's compiler."""

from __future__ import annotations

import pytest

from linescan.simulation.virtual_camera import compiler

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="the virtual camera needs a C compiler"
)
