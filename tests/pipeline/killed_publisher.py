"""A publisher with a journal that sends until it is killed; prints where it can be reached.

Its status comes 20 times a second.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from linescan.config import JournalSection
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind, Stamp, encode
from linescan.publishing import Outgoing, Publisher, desk
from tests.protocol.samples import inspection

FREE = "tcp://127.0.0.1:*"


def section(folder: Path) -> JournalSection:
    return JournalSection(enabled=True, folder=folder, max_gb=0.1, segment_mb=1, sync_ms=5)


def main(folder: Path, pause_s: float) -> None:
    setattr(desk, "PERIOD_S", 0.05)  # noqa: B010 - a constant, for all but this test
    journal = Keeping(section(folder))
    publisher = Publisher(FREE, ["web-1"], control=FREE, status=FREE, journal=journal, sync_s=0.005)
    publisher.start()
    sys.stdout.write(json.dumps({"epoch": publisher.epoch, **publisher.endpoints}) + "\n")
    sys.stdout.flush()
    seq = 0
    while True:
        stamp = Stamp("web-1", publisher.epoch, seq, time.time_ns())
        size = (28, 42) if seq % 5 else (200, 300)
        message = encode(inspection(seq * 64, size=size), Kind.INSPECTION, stamp)
        assert message is not None
        publisher.send(Outgoing([message], stamp=stamp))
        seq += 1
        time.sleep(pause_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
