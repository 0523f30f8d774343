"""What tests of journals share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.left_behind import spools_of


@pytest.fixture
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    """The test's journals leave nothing in shared memory."""
    yield
    assert spools_of(tmp_path) == []
