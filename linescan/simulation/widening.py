"""FROZEN, like ``ranges``: what the wide ranges add to a scene of the narrow ones.

Each effect is rare and mild, so that the mean difficulty rises only a little; together they leave
few scenes untouched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from linescan.simulation.extras import CutOuts, Dust, Material, MaterialKind, Optics, Shade
from linescan.simulation.scene import Albedo, Camera, FeatureMix, Light, Scene

_KINDS: tuple[MaterialKind, ...] = ("brushed", "rolled", "wood", "woven", "belt")


def _material(rng: np.random.Generator, scene: Scene) -> Material:
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    contrast, relief = float(rng.uniform(0.01, 0.08)), float(rng.uniform(0.0, 0.012))
    period = float(rng.uniform(4, 14) if kind == "woven" else rng.uniform(8, 24))
    present = rng.random() < 0.4
    # Like the roughness: beside high relief there may be more of it. Wood has none.
    height = 0.0 if kind == "wood" else relief * scene.relief_height
    return Material(kind, contrast, height, period) if present else Material()


def _dust(rng: np.random.Generator) -> Dust:
    density = float(np.exp(rng.uniform(np.log(5), np.log(80))))
    radius, contrast = float(rng.uniform(1.0, 3.0)), float(rng.uniform(0.1, 0.6))
    height = float(rng.choice([0.0, 1.0]) * rng.uniform(0.05, 0.3))
    return Dust(density, radius, contrast, height) if rng.random() < 0.25 else Dust()


def _cut_outs(rng: np.random.Generator) -> CutOuts:
    density, depth = float(rng.uniform(3, 12)), float(rng.uniform(1.0, 3.0))
    black = rng.random() < 0.6
    reflectance = float(rng.uniform(0.01, 0.06) if black else rng.uniform(0.2, 0.6))
    return CutOuts(density, depth, reflectance) if rng.random() < 0.06 else CutOuts()


def _shade(rng: np.random.Generator) -> Shade:
    density, strength = float(rng.uniform(1, 4)), float(rng.uniform(0.2, 0.7))
    softness = float(np.exp(rng.uniform(np.log(2), np.log(30))))
    return Shade(density, strength, softness) if rng.random() < 0.12 else Shade()


def _optics(rng: np.random.Generator) -> Optics:
    defocus, motion = float(rng.uniform(0.4, 2.0)), float(rng.uniform(1.0, 4.0))
    defocused, moved = rng.random() < 0.25, rng.random() < 0.2
    return Optics(defocus if defocused else 0.0, motion if moved else 0.0)


def _light(rng: np.random.Generator, light: Light) -> Light:
    elevation, gloss = float(rng.uniform(16, 62)), float(rng.uniform(0.2, 0.6))
    sharpness = int(rng.integers(3, 7))
    if rng.random() < 0.2:
        light = replace(light, elevation_deg=elevation)
    if rng.random() < 0.15:
        light = replace(light, gloss=gloss, gloss_sharpness=sharpness)
    return light


def _albedo(rng: np.random.Generator, albedo: Albedo) -> Albedo:
    contrast, soft = float(rng.uniform(0.5, 0.85)), rng.uniform(0.0, 4.0, 2)
    stronger, softer = rng.random() < 0.15, rng.random() < 0.3
    if stronger:
        albedo = replace(albedo, print_contrast=contrast)
    if softer and albedo.print_mix != FeatureMix():
        mix = replace(albedo.print_mix, dent=float(soft[0]), bump=float(soft[1]))
        albedo = replace(albedo, print_mix=mix)
    return albedo


def _camera(rng: np.random.Generator, camera: Camera) -> Camera:
    grain, rows = float(rng.uniform(0.2, 0.7)), float(rng.uniform(0.002, 0.012))
    exposure = float(rng.uniform(0.12, 0.65))
    if rng.random() < 0.25:
        camera = replace(camera, noise_grain=grain)
    if rng.random() < 0.2:
        camera = replace(camera, row_noise=rows)
    if rng.random() < 0.15:
        camera = replace(camera, exposure=exposure)
    return camera


def widen(scene: Scene) -> Scene:
    """Return the scene with some of the effects, drawn by its seed."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((scene.seed, 0x51DE5))))
    return replace(
        scene,
        material=_material(rng, scene),
        dust=_dust(rng),
        cut_outs=_cut_outs(rng),
        shade=_shade(rng),
        optics=_optics(rng),
        light=_light(rng, scene.light),
        albedo=_albedo(rng, scene.albedo),
        camera=_camera(rng, scene.camera),
    )
