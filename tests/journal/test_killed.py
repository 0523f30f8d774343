"""Killed at any moment: what was appended, or even reported durable, is there, byte for byte."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from linescan.journal import JournalReader, JournalWriter
from linescan.protocol import Kind
from tests.journal import stepped
from tests.journal.entries import same, section
from tests.journal.killed import entries


@pytest.mark.parametrize(
    "rounds", [20, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_what_was_appended_survives_every_kill(tmp_path: Path, rounds: int) -> None:
    command = [sys.executable, "-m", "tests.journal.killed", str(tmp_path), str(rounds), "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [line.split() for line in run.stdout.splitlines()]
    durable = {epoch: int(last) for epoch, last, _ in told}
    appended = {epoch: int(last) for epoch, _, last in told}
    assert len(durable) == rounds
    synced = [epoch for epoch, last in durable.items() if last >= 0]
    assert len(synced) > rounds // 3
    contents(tmp_path, durable)  # what a reader finds before anybody has put it right
    writer = JournalWriter(tmp_path, section(max_gb=0.1))
    writer.open()
    there = contents(tmp_path, appended)
    writer.close()
    kept = [epoch for epoch in synced if epoch in there]
    assert kept
    assert kept == synced[-len(kept) :]  # retention took the oldest, and nothing else is missing


@pytest.mark.parametrize(
    "rounds", [40, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_killed_at_any_line_of_the_journal_nothing_is_missing(tmp_path: Path, rounds: int) -> None:
    command = [sys.executable, "-m", "tests.journal.stepped", str(tmp_path), str(rounds), "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [line.split() for line in run.stdout.splitlines()]
    assert len(told) == rounds
    writer = JournalWriter(tmp_path, section())
    writer.open()
    writer.close()
    reader = JournalReader(tmp_path)
    for epoch, durable, appended in told:
        stream = (epoch, "web-1", Kind.INSPECTION)
        kept, written = list(reader.read(*stream, 0, 2**62)), list(stepped.entries(epoch))
        assert len(kept) > int(appended) >= int(durable)
        assert all(map(same, kept, written))  # each once and in order, as keys are compared too
        assert reader.gaps(*stream) == []
    assert reader.damaged == 0


def contents(folder: Path, least: dict[str, int]) -> dict[str, list[int]]:
    """The sequence numbers of each epoch, after comparing every message with what was written.

    Up to a number that was told for each epoch, all must be there.
    """
    reader, found = JournalReader(folder), {}
    first = True
    for epoch in reader.epochs():
        stream = (epoch.epoch, "web-1", Kind.INSPECTION)
        range_ = epoch.streams["web-1", Kind.INSPECTION]
        kept = list(reader.read(*stream, 0, 2**62))
        numbers = [entry.key.seq for entry in kept]
        assert numbers == list(range(range_.oldest, range_.last + 1))
        assert range_.oldest == 0 or first
        assert range_.last >= least[epoch.epoch]
        written = itertools.islice(entries(epoch.epoch), range_.oldest, None)
        assert all(map(same, kept, written))
        found[epoch.epoch] = numbers
        first = False
    assert reader.damaged == 0
    return found
