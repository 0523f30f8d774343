"""Publishers to subscribe to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from linescan.config import PublishSection
from linescan.ledger import Ledger
from linescan.publishing import Publish
from tests.client.helpers import Raw
from tests.client.journalled import Journalled, Order, journalled
from tests.waiting import PATIENCE_S


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def stage(ledger: Ledger) -> Iterator[Publish]:
    stage = Publish(PublishSection(data="tcp://127.0.0.1:*", linger_s=1), "web-1", ledger)
    stage.setup()
    stage.publisher.flush(PATIENCE_S)
    yield stage
    stage.teardown()


@pytest.fixture
def raw(request: pytest.FixtureRequest) -> Iterator[Raw]:
    raw = Raw(*getattr(request, "param", ()))
    yield raw
    raw.context.destroy(linger=1000)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(str(tmp_path / "journal"))


@pytest.fixture
def line(order: Order) -> Iterator[Journalled]:
    with journalled(order) as line:
        yield line
