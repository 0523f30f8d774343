"""What a simulated web is made of: one frozen record of every parameter, and named presets.

Lengths, slopes and heights are in *reference pixels*: 1/512 of the web's width. A camera with more
pixels therefore sees the same scene in more detail. ``Scene.pitch_mm`` turns pixels into mm.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from linescan.simulation.extras import CutOuts, Dust, Material, Optics, Shade

REFERENCE_WIDTH = 512
"""Reference pixels across the web."""

KINDS = ("dent", "scratch", "bump", "disc", "bar", "ring", "letter", "splice")
"""Kinds of feature. Dents and scratches are always sunk; bumps and splices always raised."""


@dataclass(frozen=True, slots=True)
class FeatureMix:
    """Expected candidates of each kind on 512 x 512 reference pixels, before thinning."""

    dent: float = 0.0
    scratch: float = 0.0
    bump: float = 0.0
    disc: float = 0.0
    bar: float = 0.0
    ring: float = 0.0
    letter: float = 0.0
    splice: float = 0.0

    def density(self, kind: str) -> float:
        """Return the expected number of candidates of ``kind``."""
        return float(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Light:
    """A line light, as good as infinitely long and far away.

    Attributes:
        azimuth_deg: where the light comes from, seen from above: 0 is the side of the earlier
            lines (the top of a picture), positive turns towards the higher columns.
        elevation_deg: angle above the web.
        azimuth_drift_deg: amplitude of a slow sine in the azimuth along the web.
        elevation_drift_deg: the same for the elevation.
        drift_period_px: period of both, in reference pixels.
        ambient: share of the flat web's brightness that has no direction, 0 to 1.
        gloss: strength of the highlight, as a share of the flat web's brightness.
        gloss_sharpness: the Blinn-Phong exponent is 2 to this power.
    """

    azimuth_deg: float = 0.0
    elevation_deg: float = 35.0
    azimuth_drift_deg: float = 3.0
    elevation_drift_deg: float = 1.5
    drift_period_px: float = 6000.0
    ambient: float = 0.2
    gloss: float = 0.1
    gloss_sharpness: int = 4


@dataclass(frozen=True, slots=True)
class Albedo:
    """Reflectance that knows nothing of the height.

    Attributes:
        blotches: relative deviation of soft patches (about 32 reference pixels).
        mottle: relative deviation of fine mottling (about 4 reference pixels).
        streaks: relative deviation of streaks along the web (rolling marks, wood grain).
        print_mix: flat printed shapes, by the very same generators as the relief.
        print_contrast: largest relative darkening or brightening by print, 0 to 0.9.
    """

    blotches: float = 0.05
    mottle: float = 0.03
    streaks: float = 0.03
    print_mix: FeatureMix = field(default_factory=FeatureMix)
    print_contrast: float = 0.4


@dataclass(frozen=True, slots=True)
class Camera:
    """Line-scan camera and encoder.

    Attributes:
        bit_depth: 8 (uint8), or 12 or 16 (both in uint16).
        exposure: the flat web's level as a share of full scale.
        full_well_e: electrons at full scale; sets the shot noise.
        read_noise: standard deviation of the read noise as a share of full scale.
        prnu: relative standard deviation of the columns' gain.
        dsnu: standard deviation of the columns' offset as a share of full scale.
        vignetting: loss of light at the web's sides, relative.
        flicker: amplitude of the exposure's sine from line to line, relative.
        flicker_period_lines: its period in lines.
        encoder_ticks_per_line: encoder ticks from one line to the next.
        noise_grain: share of the noise's variance that is coloured: correlated over some two
            reference pixels.
        row_noise: relative standard deviation of the lines' gain: half of it white, half wandering.
        encoder_jitter_px: standard deviation of the lines' true position about the even grid, in
            reference pixels; bounded to three times this.
    """

    bit_depth: int = 8
    exposure: float = 0.4
    full_well_e: float = 12000.0
    read_noise: float = 0.002
    prnu: float = 0.004
    dsnu: float = 0.001
    vignetting: float = 0.05
    flicker: float = 0.002
    flicker_period_lines: float = 83.7
    noise_grain: float = 0.0
    row_noise: float = 0.0
    encoder_ticks_per_line: int = 4
    encoder_jitter_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a simulated web depends on.

    Attributes:
        seed: fixes every random number of the web.
        width: columns of the camera.
        reference_pitch_mm: mm per reference pixel.
        roughness: rms height of the fine texture.
        roughness_coarse: share (of the variance) of the roughness at four times the grain.
        waviness: rms height of the long waves.
        relief: mixture of the features that have height.
        relief_height: nominal height of a feature.
        slope: steepest slope of the features' flanks, rise over run.
        size: factor on the features' extent, 0.5 to 1.
        sunk: share of discs, bars, rings and letters that are debossed instead of embossed.
        shallow: share of the features only one to three times as high as the roughness; they are
            in the height but are not objects.
        stacked: share of the features that stay although they touch another: they lie over each
            other and their heights add up. Nobody draws it but who asks for it.
        albedo: reflectance.
        light: illumination.
        camera: sensor and encoder.
        material: texture with a direction or a repeat.
        dust: specks.
        cut_outs: holes through the web.
        shade: shadows thrown by what is not on the web.
        optics: defocus and motion blur.
    """

    seed: int = 0
    width: int = 2048
    reference_pitch_mm: float = 0.2
    roughness: float = 0.04
    roughness_coarse: float = 0.4
    waviness: float = 0.05
    relief: FeatureMix = field(default_factory=FeatureMix)
    relief_height: float = 2.0
    slope: float = 0.5
    size: float = 1.0
    sunk: float = 0.0
    shallow: float = 0.0
    stacked: float = 0.0
    albedo: Albedo = field(default_factory=Albedo)
    light: Light = field(default_factory=Light)
    camera: Camera = field(default_factory=Camera)
    material: Material = field(default_factory=Material)
    dust: Dust = field(default_factory=Dust)
    cut_outs: CutOuts = field(default_factory=CutOuts)
    shade: Shade = field(default_factory=Shade)
    optics: Optics = field(default_factory=Optics)

    def __post_init__(self) -> None:
        """Refuse what the generator cannot draw."""
        if self.width < 64:
            raise ValueError(f"a simulated web needs at least 64 columns, got {self.width}")
        if self.camera.bit_depth not in (8, 12, 16):
            raise ValueError(f"bit depth must be 8, 12 or 16, got {self.camera.bit_depth}")
        if not 0.5 <= self.size <= 1.0:
            raise ValueError(f"size must lie in 0.5 to 1, got {self.size}")
        if not 5.0 <= self.light.elevation_deg <= 85.0:
            raise ValueError("the light's elevation must lie in 5 to 85 degrees")

    @property
    def pixels_per_reference(self) -> float:
        """Camera pixels in one reference pixel."""
        return self.width / REFERENCE_WIDTH

    @property
    def pitch_mm(self) -> float:
        """Pixel pitch on the web, both across and along it, in mm."""
        return self.reference_pitch_mm / self.pixels_per_reference

    @property
    def prominence(self) -> float:
        """Least height of a feature that counts as an object, in reference pixels.

        Five times the rms roughness: what stands lower is part of the texture.
        """
        return 5.0 * self.roughness


_PRINT = FeatureMix(scratch=2.0, disc=4.0, bar=4.0, ring=3.0, letter=6.0)

PRESETS: dict[str, Scene] = {
    "mixed": Scene(
        relief=FeatureMix(
            dent=3.0, scratch=2.0, bump=3.0, disc=3.0, bar=3.0, ring=2.0, letter=3.0, splice=0.1
        ),
        sunk=0.25,
        shallow=0.1,
        albedo=Albedo(print_mix=_PRINT),
    ),
    "parts": Scene(
        relief=FeatureMix(disc=6.0, bar=6.0, ring=4.0, letter=4.0),
        relief_height=2.5,
        slope=0.6,
        roughness=0.03,
        waviness=0.03,
        albedo=Albedo(print_mix=FeatureMix(disc=1.0, bar=1.0, letter=2.0), print_contrast=0.3),
    ),
    "surface": Scene(
        relief=FeatureMix(dent=6.0, scratch=4.0, bump=6.0),
        relief_height=3.0,
        slope=0.5,
        roughness=0.03,
        waviness=0.05,
        albedo=Albedo(blotches=0.03, streaks=0.03, print_mix=FeatureMix(letter=1.0)),
        light=Light(gloss=0.25),
    ),
    "print": Scene(
        waviness=0.02,
        roughness=0.02,
        albedo=Albedo(
            print_mix=FeatureMix(scratch=4.0, disc=8.0, bar=8.0, ring=6.0, letter=12.0),
            print_contrast=0.6,
        ),
    ),
}
"""``mixed`` is what training draws from (see ``ranges``); ``parts`` are raised parts on a belt;
``surface`` a sheet with dents, scratches and bumps; ``print`` has flat print and no relief."""


def preset(name: str, *, seed: int = 0, width: int = 2048) -> Scene:
    """Return the preset ``name`` with this seed and width.

    Raises:
        ValueError: if there is no such preset; the message lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(sorted(PRESETS))}")
    return replace(PRESETS[name], seed=seed, width=width)
