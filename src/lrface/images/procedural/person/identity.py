"""Who a drawn person is: every number that stays the same from one picture of them to the next."""

from dataclasses import dataclass

import numpy as np

IDENTITY_STREAM = 11
MASCULINE_FROM = 0.5
# Hair that reaches below this height hangs beside the face.
LONG_HAIR = 90.0


@dataclass(frozen=True)
class HeadShape:
    """Bone and flesh. Multipliers are around 1; lengths are in pixels of the 112 pixel crop."""

    forehead_width: float
    cheekbone_width: float
    jaw_width: float
    chin_width: float
    chin_length: float
    chin_forward: float
    forehead_slope: float
    squareness: float
    cheek_fullness: float
    brow_ridge: float
    ear_size: float
    asymmetry: float


@dataclass(frozen=True)
class EyeShape:
    """Eyes and their lids. Lengths are in pixels of the crop, the tilt is a slope."""

    half_distance: float
    height: float
    half_width: float
    upper_lid: float
    lower_lid: float
    tilt: float
    depth: float
    crease: float
    hooding: float
    iris_radius: float
    iris_colour: tuple[float, float, float]
    lashes: float
    bags: float


@dataclass(frozen=True)
class BrowShape:
    """Eyebrows. Lengths are in pixels of the crop."""

    height: float
    inner: float
    length: float
    thickness: float
    arch: float
    tilt: float
    density: float


@dataclass(frozen=True)
class NoseShape:
    """The nose. Lengths are in pixels of the crop."""

    tip_height: float
    tip_depth: float
    bridge_depth: float
    bridge_width: float
    tip_width: float
    wings: float
    upturn: float
    hump: float


@dataclass(frozen=True)
class MouthShape:
    """The mouth at rest. Lengths are in pixels of the crop."""

    height: float
    half_width: float
    upper_lip: float
    lower_lip: float
    bow: float
    corners: float
    redness: float
    gloss: float


@dataclass(frozen=True)
class Skin:
    """Pigments and marks, each between 0 (none) and about 1 (a lot)."""

    melanin: float
    blood: float
    undertone: float
    oil: float
    mottling: float
    freckles: float
    moles: int
    wrinkles: float
    eye_rings: float


@dataclass(frozen=True)
class Hair:
    """Hair of the head. Lengths are in pixels of the crop, colours are linear RGB."""

    colour: tuple[float, float, float]
    bald: bool
    line: float
    peak: float
    recession: float
    length: float
    volume: float
    parting: float
    fringe: float
    curl: float
    face_cover: float


@dataclass(frozen=True)
class Beard:
    """Facial hair: how dense each part is (0 to 1), and how long (pixels of the crop)."""

    moustache: float
    chin: float
    cheeks: float
    length: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Glasses:
    """Spectacles that the person always wears. Lengths are in pixels of the crop."""

    half_width: float
    half_height: float
    roundness: float
    rim: float
    lower_rim: float
    colour: tuple[float, float, float]
    drop: float
    tint: float


@dataclass(frozen=True)
class Identity:
    """One person: the whole vector of what makes them look like themselves."""

    head: HeadShape
    eyes: EyeShape
    brows: BrowShape
    nose: NoseShape
    mouth: MouthShape
    skin: Skin
    hair: Hair
    beard: Beard
    glasses: Glasses | None
    detail_seed: int


HAIR_COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.014, 0.012, 0.011),
    "dark": (0.032, 0.020, 0.014),
    "brown": (0.085, 0.048, 0.028),
    "light": (0.190, 0.115, 0.065),
    "blond": (0.430, 0.300, 0.160),
    "red": (0.260, 0.085, 0.032),
}
IRIS_COLOURS: dict[str, tuple[float, float, float]] = {
    "dark": (0.035, 0.018, 0.010),
    "brown": (0.110, 0.050, 0.022),
    "hazel": (0.170, 0.110, 0.040),
    "green": (0.130, 0.170, 0.085),
    "blue": (0.130, 0.220, 0.360),
    "grey": (0.200, 0.240, 0.270),
}
RIM_COLOURS: tuple[tuple[float, float, float], ...] = (
    (0.010, 0.010, 0.012), (0.010, 0.010, 0.012), (0.060, 0.025, 0.012), (0.250, 0.180, 0.070),
    (0.220, 0.220, 0.230), (0.120, 0.012, 0.018), (0.015, 0.030, 0.110),
)  # fmt: skip


def _bell(generator: np.random.Generator, mean: float, spread: float) -> float:
    """A normal draw whose tails are cut at 2.2 standard deviations, so that nobody is a monster."""
    return mean + spread * float(np.clip(generator.standard_normal(), -2.2, 2.2))


def _pick(generator: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    total = sum(weights)
    return str(generator.choice(names, p=[weight / total for weight in weights]))


def _blend(
    first: tuple[float, float, float], second: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    mixed = [a * (1.0 - share) + b * share for a, b in zip(first, second, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _hair_colour(generator: np.random.Generator, melanin: float, age: float) -> tuple[float, float, float]:
    fair = max(0.0, 1.0 - melanin / 0.5)
    names = ("black", "dark", "brown", "light", "blond", "red")
    name = _pick(generator, names, (0.25 + 1.6 * melanin, 0.6, 0.9 * fair, 0.6 * fair, 0.7 * fair, 0.3 * fair))
    shade = float(np.exp(_bell(generator, 0.0, 0.22)))
    red, green, blue = HAIR_COLOURS[name]
    grey = float(np.clip((age - 0.62) * 2.4 + _bell(generator, 0.0, 0.22), 0.0, 0.95)) if age > 0.45 else 0.0
    return _blend((red * shade, green * shade, blue * shade), (0.21, 0.21, 0.205), grey)


def _iris_colour(generator: np.random.Generator, melanin: float) -> tuple[float, float, float]:
    fair = max(0.0, 1.0 - melanin / 0.45)
    names = ("dark", "brown", "hazel", "green", "blue", "grey")
    name = _pick(generator, names, (0.2 + 2.0 * melanin, 0.9, 0.5 * fair + 0.05, 0.4 * fair, 1.1 * fair, 0.4 * fair))
    shade = float(np.exp(_bell(generator, 0.0, 0.2)))
    red, green, blue = IRIS_COLOURS[name]
    return red * shade, green * shade, blue * shade


def _hair(generator: np.random.Generator, male: bool, age: float, melanin: float) -> Hair:
    colour = _hair_colour(generator, melanin, age)
    bald = male and generator.random() < 0.06 + 0.18 * age
    long_hair = generator.random() < (0.05 if male else 0.68)
    fringe = generator.random() < (0.16 if male else 0.24)
    curl = float(generator.random() ** 3) if melanin < 0.6 else float(generator.uniform(0.35, 1.0))
    return Hair(
        colour=colour,
        bald=bool(bald),
        line=_bell(generator, 10.0, 3.6) - (5.0 * age if male else 0.0),
        peak=_bell(generator, 0.0, 2.2),
        recession=float(generator.beta(2.0, 4.0)) * (0.45 + 1.0 * age if male else 0.35),
        length=float(generator.uniform(120.0, 200.0)) if long_hair else float(generator.uniform(52.0, 74.0)),
        volume=float(generator.uniform(3.0, 11.0)) if male else float(generator.uniform(5.0, 14.0)),
        parting=float(generator.uniform(-1.0, 1.0)),
        fringe=float(generator.uniform(0.45, 1.0)) if fringe else 0.0,
        curl=curl,
        face_cover=float(generator.beta(2.0, 2.2)) if long_hair else 0.0,
    )


def _beard(generator: np.random.Generator, male: bool, hair: tuple[float, float, float]) -> Beard:
    red, green, blue = hair
    warmth = float(np.exp(_bell(generator, 0.0, 0.12)))
    colour = (red * 0.85 * warmth, green * 0.8, blue * 0.78)
    kind = _pick(
        generator,
        ("none", "stubble", "moustache", "goatee", "full"),
        (0.42, 0.22, 0.08, 0.1, 0.18) if male else (1.0, 0.0, 0.0, 0.0, 0.0),
    )
    density = float(generator.uniform(0.7, 1.0))
    light = float(generator.uniform(0.2, 0.5))
    length = float(generator.uniform(1.0, 4.5))
    parts = {
        "none": (0.0, 0.0, 0.0, 0.0),
        "stubble": (light, light, light * 0.9, 0.2),
        "moustache": (density, 0.1, 0.08, 1.2),
        "goatee": (density * 0.85, density, 0.12, length * 0.6),
        "full": (density, density, density * 0.92, length),
    }[kind]
    return Beard(moustache=parts[0], chin=parts[1], cheeks=parts[2], length=parts[3], colour=colour)


def _glasses(generator: np.random.Generator, age: float) -> Glasses | None:
    wears = generator.random() < 0.16 + 0.16 * age
    half_width = float(generator.uniform(12.2, 15.0))
    half_height = float(generator.uniform(6.8, 10.8))
    rim = float(generator.choice([0.45, 0.7, 1.3, 1.9])) * float(generator.uniform(0.85, 1.15))
    colour = RIM_COLOURS[int(generator.integers(len(RIM_COLOURS)))]
    glasses = Glasses(
        half_width=half_width,
        half_height=half_height,
        roundness=float(generator.uniform(2.0, 5.5)),
        rim=rim,
        lower_rim=float(generator.choice([1.0, 1.0, 1.0, 0.25])),
        colour=colour,
        drop=_bell(generator, 1.6, 0.8),
        tint=float(generator.beta(1.2, 9.0)),
    )
    return glasses if wears else None


def draw_identity(seed: int, subject: int) -> Identity:
    """Draws one person.

    Args:
        seed: Seed of the whole population, 0 or more.
        subject: Number of the person in it, 0 or more. Nobody depends on how many others are drawn.
    """
    generator = np.random.default_rng(np.random.SeedSequence((IDENTITY_STREAM, seed, subject)))
    masculine = float(generator.random())
    male = masculine > MASCULINE_FROM
    man = float(np.clip((masculine - 0.5) * 3.0 + 0.5, 0.0, 1.0))
    age = float(generator.beta(1.5, 2.0))
    melanin = float(np.clip(generator.beta(1.15, 1.45), 0.03, 0.97))
    eastern = bool(generator.random() < 0.3 and melanin < 0.6)
    weight = _bell(generator, 0.0, 1.0)
    head = HeadShape(
        forehead_width=_bell(generator, 1.0, 0.044),
        cheekbone_width=_bell(generator, 1.0 + 0.025 * weight, 0.05),
        jaw_width=_bell(generator, 0.94 + 0.075 * man + 0.05 * weight, 0.069),
        chin_width=_bell(generator, 0.88 + 0.18 * man + 0.1 * weight, 0.175),
        chin_length=_bell(generator, 1.8 * man - 4.2, 3.25),
        chin_forward=_bell(generator, 0.6 + 1.2 * man, 1.375),
        forehead_slope=_bell(generator, 1.5 * man, 2.0),
        squareness=_bell(generator, 2.12 + 0.05 * weight, 0.13),
        cheek_fullness=_bell(generator, 0.2 + 0.55 * weight, 0.938),
        brow_ridge=max(0.0, _bell(generator, 0.5 + 1.1 * man, 0.688)),
        ear_size=_bell(generator, 1.0 + 0.12 * age, 0.16),
        asymmetry=_bell(generator, 0.0, 0.5),
    )
    eyes = EyeShape(
        half_distance=_bell(generator, 17.6, 1.188),
        height=_bell(generator, 51.6, 0.7),
        half_width=_bell(generator, 8.3, 0.75),
        upper_lid=_bell(generator, 3.75 - 0.35 * man - (0.7 if eastern else 0.0), 0.625),
        lower_lid=_bell(generator, 2.05, 0.4),
        tilt=_bell(generator, 0.085 + (0.05 if eastern else 0.0), 0.055),
        depth=_bell(generator, 0.4 if eastern else 1.5, 0.875),
        crease=float(np.clip(_bell(generator, 0.6 if eastern else 2.4, 0.8), 0.15, 5.625)),
        hooding=float(np.clip(_bell(generator, 0.35 + 0.4 * age, 0.25), 0.0, 1.0)),
        iris_radius=_bell(generator, 3.45, 0.14),
        iris_colour=_iris_colour(generator, melanin + (0.45 if eastern else 0.0)),
        lashes=float(np.clip(_bell(generator, 0.95 - 0.6 * man, 0.25), 0.1, 1.4)),
        bags=float(np.clip(_bell(generator, 0.2 + 0.7 * age, 0.3), 0.0, 1.4)),
    )
    brows = BrowShape(
        height=_bell(generator, 11.6 - 1.9 * man, 1.25),
        inner=_bell(generator, 7.4 - 1.0 * man, 1.625),
        length=_bell(generator, 20.0, 2.25),
        thickness=max(0.8, _bell(generator, 1.45 + 0.85 * man, 0.625)),
        arch=_bell(generator, 2.1 - 1.0 * man, 1.375),
        tilt=_bell(generator, 0.075, 0.08),
        density=float(np.clip(_bell(generator, 0.72 + 0.12 * man, 0.2), 0.25, 1.375)),
    )
    nose = NoseShape(
        tip_height=_bell(generator, 71.7, 2.125),
        tip_depth=_bell(generator, 12.8 + 0.9 * man - 2.0 * melanin - (1.2 if eastern else 0.0), 2.0),
        bridge_depth=_bell(generator, 4.4 + 0.9 * man - 1.8 * melanin - (1.8 if eastern else 0.0), 1.25),
        bridge_width=_bell(generator, 4.3 + 0.9 * melanin, 0.875),
        tip_width=_bell(generator, 5.2 + 0.6 * man, 0.938),
        wings=_bell(generator, 7.2 + 0.7 * man + 1.9 * melanin, 0.938),
        upturn=_bell(generator, 0.2 - 0.4 * man, 1.0),
        hump=_bell(generator, 0.3, 0.938),
    )
    lipstick = (not male) and generator.random() < 0.4
    mouth = MouthShape(
        height=_bell(generator, 92.3, 1.6),
        half_width=_bell(generator, 14.4 + 0.5 * man, 1.4),
        upper_lip=max(1.6, _bell(generator, 4.1 - 0.9 * man + 1.9 * melanin - 0.9 * age, 0.95)),
        lower_lip=max(2.6, _bell(generator, 5.9 - 0.8 * man + 1.7 * melanin - 0.8 * age, 1.05)),
        bow=float(np.clip(_bell(generator, 0.9, 0.45), 0.0, 2.0)),
        corners=_bell(generator, 0.7, 0.7),
        redness=float(generator.uniform(0.75, 1.5)) if lipstick else float(generator.uniform(0.1, 0.5)),
        gloss=float(generator.uniform(0.3, 1.0)) if lipstick else float(generator.uniform(0.05, 0.35)),
    )
    skin = Skin(
        melanin=melanin,
        blood=float(np.clip(_bell(generator, 0.42, 0.22), 0.0, 1.0)),
        undertone=_bell(generator, 0.0, 0.45),
        oil=float(generator.beta(2.0, 2.5)),
        mottling=float(generator.beta(2.0, 3.5)),
        freckles=float(generator.beta(1.5, 1.8)) if generator.random() < 0.42 * (1.0 - melanin) else 0.0,
        moles=int(generator.poisson(2.2)),
        wrinkles=float(np.clip(1.35 * age - 0.2 + _bell(generator, 0.0, 0.12), 0.0, 1.2)),
        eye_rings=float(generator.beta(1.6, 3.0)),
    )
    hair = _hair(generator, male, age, melanin + (0.5 if eastern else 0.0))
    return Identity(
        head=head,
        eyes=eyes,
        brows=brows,
        nose=nose,
        mouth=mouth,
        skin=skin,
        hair=hair,
        beard=_beard(generator, male, hair.colour),
        glasses=_glasses(generator, age),
        detail_seed=int(generator.integers(2**31)),
    )
