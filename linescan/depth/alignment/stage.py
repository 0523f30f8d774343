"""The alignment stage: each frame's depth in the scale and at the level of the frames before it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from linescan.config import AlignmentSection
from linescan.depth.alignment.estimate import Measured
from linescan.depth.alignment.look import Look, look_at
from linescan.depth.alignment.reference import Reference
from linescan.depth.alignment.relation import scale_between, shift_between
from linescan.depth.alignment.seam import fade, shared_rows
from linescan.records import Cause, Convention, DepthMap, FloatArray, Inspection, Loss
from linescan.stages import FoldStage

log = logging.getLogger(__name__)

FRAME_SCALE: Final = 0.3**2
"""Variance of the logarithm of scale from frame to frame of a relative model: passes of one model
differ by a third, say."""
HELD_SCALE: Final = 0.05**2
"""What the variance grows by with each flat frame that keeps the scale."""
SEAM_SCALE: Final = 0.2**2
"""Variance of the logarithm of scale by an overlap, beside what its points show: networks are at
their worst at a frame's ends, where objects are cut."""
SEAM_SHIFT: Final = 0.5
"""Error of a shift by an overlap, beside what its parts show, in deviations of a frame: the depth
of a frame bends at its ends."""
STEADY_SHIFT: Final = 0.1
"""What the level of a model with a scale of its own changes by from frame to frame, in deviations
of a frame."""
FLAT: Final = 0.1
"""A frame, or an overlap, that deviates by less than this share of what frames do is flat."""
DOUBT: Final = 0.1
"""Error of the logarithm of scale, or of the shift in deviations of a frame, that halves the
confidence."""


@dataclass(frozen=True, slots=True)
class AlignState:
    """What the stage remembers: one frame, two figures, and the reference so far."""

    before: DepthMap | None
    log_scale: Measured
    shift: Measured
    reference: Reference | None


class Align(FoldStage[Inspection, Inspection, AlignState]):
    """Fits scale and shift of each frame, and fades its leading rows in from the frame before.

    A model whose output has a scale of its own (height, or depth in mm) keeps it: only the shift is
    fitted, unless the configuration says otherwise. Inspections without depth are passed on.

    Args:
        section: the configuration's ``alignment``.
        reference: what frames are held against; None takes the first frames.
        alone: frames have nothing to do with one another: each is held against the reference.
    """

    name = "align_frames"
    failure = Cause.INFERENCE_FAILURE

    def __init__(
        self, section: AlignmentSection, reference: Reference | None = None, *, alone: bool = False
    ) -> None:
        self._section = section
        self._alone = alone
        self._stored = reference
        self._state = self._fresh()

    @property
    def reference(self) -> Reference | None:
        """What frames are held against by now; None before there was one."""
        return self._state.reference

    def setup(self) -> None:
        """Say what frames are held against."""
        against = "the first frames" if self._stored is None else "a stored reference"
        each = "each frame by itself" if self._alone else "from frame to frame"
        log.info("depth is aligned %s, held against %s", each, against)

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Give the inspection with its depth aligned; the shape stays."""
        depth, sha256 = item.depth, item.model.sha256 if item.model else ""
        if depth is None or not depth.valid.any():
            return (item,)
        if self._alone:
            self._state = self._fresh()
        held = self._state.reference
        if held is not None and held.sha256 != sha256:
            log.warning("alignment begins anew at line %d: another model", item.frame.first_line)
            self._stored = None
            self._state = self._fresh()
        aligned, self._state = self._align(depth, sha256, self._state)
        return (replace(item, depth=aligned),)

    def snapshot(self) -> AlignState:
        """The state; nothing in it is ever written to."""
        return self._state

    def restore(self, state: AlignState) -> None:
        """Go on from a snapshot."""
        self._state = state

    def _fresh(self) -> AlignState:
        """The first frame is taken as it comes, unless there is a reference to hold it against."""
        if self._stored is None:
            return AlignState(None, Measured(0.0, 0.0), Measured(0.0, 0.0), None)
        unknown = Measured(0.0, FRAME_SCALE), Measured(0.0, math.inf)
        return AlignState(None, *unknown, self._stored)

    def _align(
        self, depth: DepthMap, sha256: str, state: AlignState
    ) -> tuple[DepthMap, AlignState]:
        shared = np.empty((0, depth.values.shape[1]), np.float32)
        if state.before is not None:
            shared = shared_rows(state.before, depth)
        count = len(shared)
        own = np.where(depth.valid[:count, None], depth.values[:count], np.float32(np.nan))
        look = look_at(depth)
        log_scale = self._log_scale(depth, own, shared, look, state)
        scale = math.exp(log_scale.value)
        shift = self._shift(depth, own, shared, look, scale, state)
        values = depth.values * np.float32(scale)
        values += np.float32(shift.value)
        fade(values, shared)
        reference = state.reference
        # A frame of one value, as of a closed lens, tells nothing to hold others against.
        if look is not None and look.deviation > 0.0:
            seen = look.aligned(scale, shift.value)
            reference = reference.seen(seen) if reference else Reference.of(seen, sha256)
        sure = _confidence(log_scale, shift, reference)
        aligned = replace(
            depth,
            values=values,
            scale=depth.scale * scale,
            shift=depth.shift * scale + shift.value,
            confidence=sure if depth.confidence is None else min(sure, depth.confidence),
        )
        return aligned, AlignState(aligned, log_scale, shift, reference)

    def _log_scale(
        self,
        depth: DepthMap,
        own: FloatArray,
        shared: FloatArray,
        look: Look | None,
        state: AlignState,
    ) -> Measured:
        """Logarithm of the frame's scale; 0 where the model has a scale of its own."""
        if not self._fits_scale(depth):
            return Measured(0.0, 0.0)
        before, reference = state.log_scale, state.reference
        if reference is None:
            return before
        flat = 0.0
        if self._section.hold_when_flat:
            flat = FLAT * reference.deviation / math.exp(before.value)
        if look is None or look.deviation <= flat:
            return before.held(HELD_SCALE)
        found = before.held(FRAME_SCALE)
        relation = scale_between(own, shared, flat)
        if relation is not None:
            variance = before.variance + relation.variance + SEAM_SCALE
            found = found.drawn(Measured(relation.value, variance))
        measured = reference.log_scale_of(look)
        return found if measured is None else found.drawn(measured)

    def _shift(
        self,
        depth: DepthMap,
        own: FloatArray,
        shared: FloatArray,
        look: Look | None,
        scale: float,
        state: AlignState,
    ) -> Measured:
        """The frame's shift after its scale."""
        reference = state.reference
        if reference is None:
            return state.shift
        found = state.shift
        if state.before is not None and not self._fits_scale(depth):
            found = found.held((STEADY_SHIFT * reference.deviation) ** 2)
        elif state.before is not None:
            relation = shift_between(own, shared, scale)
            found = found.held(math.inf)
            if relation is not None:
                found = state.shift.moved(relation).held((SEAM_SHIFT * reference.deviation) ** 2)
        return found if look is None else found.drawn(reference.shift_of(look, scale))

    def _fits_scale(self, depth: DepthMap) -> bool:
        if self._section.fit == "auto":
            return depth.convention is not Convention.HEIGHT and depth.unit == "relative"
        return self._section.fit == "scale-shift"


def _confidence(log_scale: Measured, shift: Measured, reference: Reference | None) -> float:
    """1 where scale and shift are sure, 1/2 where either is out by ``DOUBT``, towards 0 beyond."""
    doubt = log_scale.variance / DOUBT**2
    deviation = reference.deviation if reference else 0.0
    if shift.variance > 0.0:
        doubt += shift.variance / max(DOUBT * deviation, 1e-300) ** 2
    return 1.0 / (1.0 + doubt)
