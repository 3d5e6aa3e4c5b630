"""What differs between two pictures of one person: pose, expression, light, background, camera."""

from dataclasses import dataclass

import numpy as np

NUISANCE_STREAM = 23


@dataclass(frozen=True)
class Pose:
    """Where the head looks (radians), how far the camera is, and how badly the crop was aligned (pixels)."""

    yaw: float
    pitch: float
    distance: float
    shift_x: float
    shift_y: float
    zoom: float
    roll: float


@dataclass(frozen=True)
class Expression:
    """What the face does: 0 is at rest, 1 is a lot; gaze is in pixels of the crop."""

    smile: float
    opening: float
    brow_raise: float
    frown: float
    blink: float
    squint: float
    gaze_x: float
    gaze_y: float


@dataclass(frozen=True)
class Light:
    """A key light (unit vector towards it, linear RGB), its softness, and the light from all around."""

    direction: tuple[float, float, float]
    key: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    side: tuple[float, float, float]
    softness: float


@dataclass(frozen=True)
class Camera:
    """Lens and sensor: blur in pixels, sharpening as a share, noise in steps of 1/255, exposure in stops."""

    blur: float
    motion: float
    sharpening: float
    motion_angle: float
    noise: float
    exposure: float
    contrast: float
    saturation: float
    white: tuple[float, float, float]


@dataclass(frozen=True)
class Nuisance:
    """Everything about one picture that says nothing about who is on it."""

    pose: Pose
    expression: Expression
    light: Light
    camera: Camera
    scene_seed: int


def _tint(generator: np.random.Generator, strength: float) -> tuple[float, float, float]:
    """A light's colour: warm to cold above all, a little green to magenta; the mean is 1."""
    warm = float(np.clip(generator.standard_normal(), -2.2, 2.2)) * 0.12 * strength
    green = float(np.clip(generator.standard_normal(), -2.2, 2.2)) * 0.04 * strength
    colour = np.exp(np.array([warm - green, green, -warm - green]))
    colour /= colour.mean()
    return float(colour[0]), float(colour[1]), float(colour[2])


def _scaled(colour: tuple[float, float, float], power: float) -> tuple[float, float, float]:
    return colour[0] * power, colour[1] * power, colour[2] * power


def draw_nuisance(seed: int, subject: int, image: int, strength: float = 1.0) -> Nuisance:
    """Draws the circumstances of one picture.

    Args:
        seed: Seed of the whole population, 0 or more.
        subject: Number of the person, 0 or more.
        image: Number of the picture of that person, 0 or more.
        strength: 0 takes every picture straight, at rest and in soft white light; 1 is as in the wild.
    """
    generator = np.random.default_rng(np.random.SeedSequence((NUISANCE_STREAM, seed, subject, image)))

    def bell(spread: float, limit: float = 2.2) -> float:
        return float(np.clip(generator.standard_normal(), -limit, limit)) * spread * strength

    pose = Pose(
        yaw=bell(0.23),
        pitch=bell(0.12),
        distance=float(np.exp(generator.uniform(np.log(330.0), np.log(1200.0)))),
        shift_x=bell(0.7),
        shift_y=bell(0.7),
        zoom=float(np.exp(bell(0.018))),
        roll=bell(0.025),
    )
    smiling = generator.random() < 0.5
    smile = float(generator.uniform(0.35, 1.0)) if smiling else float(generator.normal(0.0, 0.16))
    talks = generator.random() < (0.72 if smiling else 0.22)
    expression = Expression(
        smile=strength * float(np.clip(smile, -0.4, 1.0)),
        opening=strength * (float(generator.beta(1.6, 2.2)) if talks else 0.0),
        brow_raise=bell(0.35),
        frown=strength * max(0.0, float(generator.normal(-0.1, 0.35))),
        blink=strength * float(generator.beta(1.2, 7.0)),
        squint=strength * float(generator.beta(1.3, 4.0)) * (1.0 if smiling else 0.5),
        gaze_x=bell(1.0),
        gaze_y=bell(0.4),
    )
    azimuth = bell(0.75)
    height = 0.45 + bell(0.3)
    hard = float(generator.beta(1.8, 1.5))
    ambient = 1.0 - 0.72 * hard * strength
    light = Light(
        direction=(
            float(np.sin(azimuth) * np.cos(height)),
            float(-np.sin(height)),
            float(np.cos(azimuth) * np.cos(height)),
        ),
        key=_scaled(_tint(generator, strength), 0.45 + 0.95 * hard),
        sky=_scaled(_tint(generator, strength), 0.85 * ambient),
        ground=_scaled(_tint(generator, strength), 0.42 * ambient),
        side=_scaled(_tint(generator, strength), float(generator.normal(0.0, 0.16)) * strength),
        softness=float(generator.uniform(0.1, 0.6)),
    )
    camera = Camera(
        blur=0.1 + strength * 0.55 * float(generator.beta(0.9, 3.2)),
        motion=strength * (float(generator.uniform(0.3, 1.3)) if generator.random() < 0.12 else 0.0),
        motion_angle=float(generator.uniform(0.0, np.pi)),
        sharpening=float(generator.uniform(0.0, 0.65)),
        noise=0.4 + strength * 3.2 * float(generator.beta(1.1, 4.0)),
        exposure=bell(0.3),
        contrast=bell(0.1),
        saturation=float(np.exp(bell(0.13))),
        white=_tint(generator, 0.45 * strength),
    )
    return Nuisance(pose, expression, light, camera, int(generator.integers(2**31)))
