"""Readers in this and another process, while the writer appends, syncs and prunes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from linescan.journal import JournalReader, JournalWriter
from linescan.protocol import Kind
from tests.journal.entries import EPOCH, message, put, same, section

COUNT = 400
SIZE = 50_000
FOLLOW = """
import sys
from pathlib import Path
from tests.journal.test_live import follow
print("ready", flush=True)
print(*follow(Path(sys.argv[1])))
"""


def follow(folder: Path) -> list[int]:
    """Read until the last message came; every one must be what was written."""
    reader, following, seen = JournalReader(folder), 0, []
    while following < COUNT:
        for entry in reader.read(EPOCH, "web-1", Kind.INSPECTION, following, following + 50):
            assert entry.key.seq >= following
            assert same(entry, message(entry.key.seq, size=SIZE))
            following = entry.key.seq + 1
            seen.append(entry.key.seq)
        ranges = [e.streams["web-1", Kind.INSPECTION] for e in reader.epochs()]
        if ranges and ranges[0].oldest > following:
            following = ranges[0].oldest  # pruned before it was read
        assert len(ranges) <= 1
    assert reader.damaged == 0
    return seen


def test_two_readers_while_writing_and_pruning(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section(max_gb=0.01))
    writer.open()
    child = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    here: list[list[int]] = []
    reading = threading.Thread(target=lambda: here.append(follow(tmp_path)))
    reading.start()
    for seq in range(COUNT):
        put(writer, [message(seq, size=SIZE)])
        if seq % 5 == 0:
            writer.sync()
            time.sleep(0.005)
    writer.sync()
    reading.join(200)
    there = list(map(int, child.communicate(timeout=200)[0].split()))
    writer.close()
    assert here
    for seen in (here[0], there):
        assert seen[-1] == COUNT - 1
        assert seen == sorted(set(seen))
        assert len(seen) > 50
