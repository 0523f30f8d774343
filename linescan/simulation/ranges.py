"""FROZEN: the ranges of the generator, and which seeds are for what.

``surface-tiny`` was trained on what this module draws and is judged on ``HELD_OUT_SEEDS``,
``PRINT_SEEDS`` and ``CONTINUOUS_SEEDS``. Nothing here, nor anything that changes what a seed draws,
may change after training has begun: the figures published for the model would no longer be about
it.

There are two sets of ranges. ``narrow`` are the first ones, kept so that older figures can be made
again; ``wide`` takes the same scene of a seed and adds to it (``widening``): materials, dust,
holes, shadows, blur, coloured noise, more gloss and a wider range of light. Figures of the two
differ.

The light comes from the side of the earlier lines, within 40 degrees. That is a property of the
installation, not of chance: with light from anywhere, shading alone cannot tell a bump from a dent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from linescan.simulation.scene import Albedo, Camera, FeatureMix, Light, Scene
from linescan.simulation.widening import widen

DEMO_SEEDS = range(1_000)
HELD_OUT_SEEDS = range(900_000, 900_200)
PRINT_SEEDS = range(910_000, 910_200)
"""Held out: webs with nothing but flat print (``print_scene``)."""
CONTINUOUS_SEEDS = range(920_000, 920_020)
"""Held out: long webs, many frames of each."""
VALIDATION_SEEDS = range(950_000, 950_064)
TRAINING_SEEDS = range(1_000_000, 1_200_000)

Ranges = Literal["narrow", "wide"]

_RELIEF_KINDS = ("dent", "scratch", "bump", "disc", "bar", "ring", "letter")
_PRINT_KINDS = ("scratch", "disc", "bar", "ring", "letter")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _mix(rng: np.random.Generator, kinds: tuple[str, ...], total: float) -> FeatureMix:
    """Share ``total`` candidates among a random choice of one to all of ``kinds``."""
    chosen = rng.permutation(kinds)[: int(rng.integers(1, len(kinds) + 1))]
    shares = rng.dirichlet(np.full(len(chosen), 2.0))
    return FeatureMix(**{str(k): float(total * s) for k, s in zip(chosen, shares, strict=True)})


def _light(rng: np.random.Generator) -> Light:
    return Light(
        azimuth_deg=float(rng.uniform(-40, 40)),
        elevation_deg=float(rng.uniform(22, 55)),
        azimuth_drift_deg=float(rng.uniform(0, 5)),
        elevation_drift_deg=float(rng.uniform(0, 2)),
        drift_period_px=float(rng.uniform(3000, 12000)),
        ambient=float(rng.uniform(0.05, 0.4)),
        gloss=float(rng.choice([0.0, 1.0]) * rng.uniform(0.02, 0.4)),
        gloss_sharpness=int(rng.integers(3, 6)),
    )


def _albedo(rng: np.random.Generator) -> Albedo:
    printed = rng.random() < 0.5
    total = float(rng.uniform(3, 20)) if printed else 0.0
    return Albedo(
        blotches=float(rng.uniform(0.0, 0.06)),
        mottle=float(rng.uniform(0.0, 0.04)),
        streaks=float(rng.uniform(0.0, 0.04)),
        print_mix=_mix(rng, _PRINT_KINDS, total) if printed else FeatureMix(),
        print_contrast=float(rng.uniform(0.1, 0.7)),
    )


def _camera(rng: np.random.Generator) -> Camera:
    return Camera(
        bit_depth=int(rng.choice([8, 12, 16], p=[0.7, 0.2, 0.1])),
        exposure=float(rng.uniform(0.22, 0.5)),
        full_well_e=_log_uniform(rng, 4_000, 30_000),
        read_noise=_log_uniform(rng, 0.001, 0.006),
        prnu=float(rng.uniform(0.0, 0.01)),
        dsnu=float(rng.uniform(0.0, 0.003)),
        vignetting=float(rng.uniform(0.0, 0.15)),
        flicker=float(rng.uniform(0.0, 0.01)),
        flicker_period_lines=float(rng.uniform(20, 300)),
        encoder_jitter_px=float(rng.choice([0.0, 1.0], p=[0.8, 0.2]) * rng.uniform(0.1, 0.8)),
    )


def sample_scene(seed: int, width: int, ranges: Ranges = "wide") -> Scene:
    """Return the scene of ``seed`` for a web of ``width`` columns.

    Every scene has relief; about half have print as well. Flat scenes are made from these by taking
    the relief away (``without_relief``).

    Args:
        seed: of the scene and its web.
        width: columns of the camera.
        ranges: ``wide``, or ``narrow`` for the first ones.
    """
    scene = _narrow(seed, width)
    return widen(scene) if ranges == "wide" else scene


def without_relief(scene: Scene) -> Scene:
    """Return the scene with no relief: no features, no waves, no holes, dust without height."""
    return replace(
        scene,
        relief=FeatureMix(),
        waviness=0.0,
        cut_outs=replace(scene.cut_outs, density=0.0),
        dust=replace(scene.dust, height=0.0),
    )


def print_scene(seed: int, width: int, ranges: Ranges = "wide") -> Scene:
    """Return a scene of flat print only: dense, of all the shapes that relief has."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, 0x9217))))
    scene = without_relief(sample_scene(seed, width, ranges))
    mix = _mix(rng, _RELIEF_KINDS, float(rng.uniform(5, 40)))
    return replace(scene, albedo=replace(scene.albedo, print_mix=mix))


def _narrow(seed: int, width: int) -> Scene:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, 0x5CE4E))))
    relief_height = _log_uniform(rng, 0.8, 4.0)
    roughness = min(_log_uniform(rng, 0.01, 0.10), 0.04 * relief_height)
    return Scene(
        seed=seed,
        width=width,
        reference_pitch_mm=_log_uniform(rng, 0.05, 0.5),
        roughness=roughness,
        roughness_coarse=float(rng.uniform(0.2, 0.8)),
        waviness=float(rng.uniform(0.0, 0.04)) * relief_height,
        relief=replace(
            _mix(rng, _RELIEF_KINDS, _log_uniform(rng, 10, 50)),
            splice=float(rng.choice([0.0, 0.6], p=[0.9, 0.1])),
        ),
        relief_height=relief_height,
        slope=_log_uniform(rng, 0.25, 0.9),
        size=float(rng.uniform(0.5, 1.0)),
        sunk=float(rng.choice([0.0, 1.0]) * rng.uniform(0.0, 0.6)),
        shallow=float(rng.choice([0.0, 1.0]) * rng.uniform(0.0, 0.3)),
        albedo=_albedo(rng),
        light=_light(rng),
        camera=_camera(rng),
    )
