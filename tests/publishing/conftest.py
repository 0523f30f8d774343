"""A publisher with a journal, and a client of its control socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linescan.publishing import Publisher
from tests.publishing.asking import Asking, asking
from tests.publishing.journals import MemoryJournal
from tests.publishing.sending import publishing


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def publisher(journal: MemoryJournal) -> Iterator[Publisher]:
    with publishing(journal=journal) as publisher:
        yield publisher


@pytest.fixture
def ask(publisher: Publisher) -> Iterator[Asking]:
    with asking(publisher.endpoints["control"]) as client:
        yield client
