"""Writes the conformance vectors of linescan/1: python -m scripts.make_protocol_vectors.

Each vector is ``NAME.frames``, the bytes of a message, and ``NAME.json``, what they mean; see
docs/reference/protocol.md. The same code always writes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from scripts.vectors.control import control_vectors
from scripts.vectors.data import data_vectors
from scripts.vectors.vector import Vector

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "protocol_vectors"


def vectors() -> dict[str, Vector]:
    """All vectors by name."""
    data = {vector.name: vector for vector in data_vectors()}
    return data | {vector.name: vector for vector in control_vectors(data["inspection"])}


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for vector in vectors().values():
        (FOLDER / f"{vector.name}.frames").write_bytes(vector.packed())
        (FOLDER / f"{vector.name}.json").write_text(vector.truth(), encoding="utf-8")
    print(f"{len(vectors())} vectors written to {FOLDER}")


if __name__ == "__main__":
    main()
