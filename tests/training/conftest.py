from __future__ import annotations

from tests.depth.conftest import handmade

__all__ = ["handmade"]
