"""Fits the measure of a face's effective side, and measures it on faces of real people.

OMP_NUM_THREADS=1 python benchmarks/side.py fit [--count 12000] [--out src/lrface/images/enlargement.npz]
OMP_NUM_THREADS=1 python benchmarks/side.py measure --faces FOLDER [--count 400]

Fitted on textures, on crops of free photographs that scikit-image brings, and on drawn faces; on no real face. FOLDER
holds people, NAME/PICTURE, aligned to 112 x 112.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from lrface.images.degradation.enlargement import LARGEST, Weights, features_of, fitted, scores, told
from lrface.images.procedural import draw_identity, draw_nuisance, render

SIDE = 112
KERNELS = {
    "nearest": (cv2.INTER_NEAREST, Image.Resampling.NEAREST),
    "bilinear": (cv2.INTER_LINEAR, Image.Resampling.BILINEAR),
    "bicubic": (cv2.INTER_CUBIC, Image.Resampling.BICUBIC),
    "lanczos": (cv2.INTER_LANCZOS4, Image.Resampling.LANCZOS),
    "area": (cv2.INTER_NEAREST, Image.Resampling.BOX),
}
ALL = (*KERNELS, "warp", "twice")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "brick", "grass", "gravel")
SMALL = 44.0
HIDDEN = 24
KEPT = 0.998
"""Share of faces that were not enlarged which the bound leaves alone, the hardest material included."""


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    _, code = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1])


def perhaps_jpeg(picture: np.ndarray, rng: np.random.Generator, chance: float, low: int) -> np.ndarray:
    return jpeg(picture, int(rng.integers(low, 97))) if rng.random() < chance else picture


def resized(picture: np.ndarray, side: int, kernel: str, *, pillow: bool) -> np.ndarray:
    of_opencv, of_pillow = KERNELS[kernel]
    if pillow:
        return np.asarray(Image.fromarray(picture).resize((side, side), of_pillow))
    return np.asarray(cv2.resize(picture, (side, side), interpolation=of_opencv))


def warped(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A face of `side` pixels in a photograph, turned, and aligned to 112 as aligners do it."""
    angle, scale, finer = np.deg2rad(rng.uniform(-25, 25)), side / SIDE, 4
    canvas = int(np.ceil(side * 1.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    shift = (canvas - 1) / 2 + rng.uniform(-0.5, 0.5, 2) - turn @ np.full(2, (SIDE - 1) / 2)
    matrix = np.concatenate([turn, shift[:, None]], axis=1)
    fine = matrix * finer
    fine[:, 2] += (finer - 1) / 2
    large = cv2.warpAffine(picture, fine, (canvas * finer,) * 2, borderMode=cv2.BORDER_REPLICATE)
    photograph = perhaps_jpeg(cv2.resize(large, (canvas, canvas), interpolation=cv2.INTER_AREA), rng, 0.5, 70)
    how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    back = cv2.invertAffineTransform(matrix)
    return np.asarray(cv2.warpAffine(photograph, back, (SIDE, SIDE), flags=how, borderMode=cv2.BORDER_REPLICATE))


def enlarged(picture: np.ndarray, side: int, way: str, rng: np.random.Generator) -> np.ndarray:
    """A face of 112 pixels that was one of `side`; without JPEG behind."""
    if way == "warp":
        return warped(picture, side, rng)
    shrunk = Image.fromarray(picture).resize((side, side), KERNELS[rng.choice(["bicubic", "area", "bilinear"])][1])
    small, pillow = perhaps_jpeg(np.asarray(shrunk), rng, 0.25, 70), bool(rng.random() < 0.5)
    if way != "twice":
        return resized(small, SIDE, way, pillow=pillow)
    between = int(rng.uniform(1.4 * side, max(1.5 * side, 260)))
    once = resized(small, between, str(rng.choice(["bilinear", "bicubic", "lanczos"])), pillow=pillow)
    return resized(once, SIDE, "area" if between > SIDE else "bicubic", pillow=between > SIDE)


def soft(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face of 112 pixels that may be out of focus, shaken or noisy, but is no small one."""
    kind = rng.random()
    if kind < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.2))
    elif kind < 0.4:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(rng.integers(2, 8)),) * 2).astype(np.float32)
        picture = cv2.filter2D(picture, -1, disc / disc.sum())
    elif kind < 0.5:
        line = np.zeros((length := int(rng.integers(3, 10)), length), np.float32)
        line[length // 2] = 1 / length
        picture = cv2.filter2D(picture, -1, line if rng.random() < 0.5 else line.T)
    elif kind < 0.6:
        picture = np.clip(picture + rng.normal(0, rng.uniform(1, 8), picture.shape), 0, 255).astype(np.uint8)
    return perhaps_jpeg(np.asarray(picture), rng, 0.5, 30)


def leaves(rng: np.random.Generator) -> np.ndarray:
    """Ellipses over each other on a field whose spectrum falls with a power of the frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij"))
    frequency[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * frequency ** -rng.uniform(1.0, 2.8)).real
    picture = np.zeros((SIDE, SIDE, 3), np.float32) + rng.uniform(0, 255, 3).astype(np.float32)
    for _ in range(int(rng.integers(5, 150))):
        radius, where = float(np.exp(rng.uniform(0, 3.5))), rng.uniform(0, SIDE, 2)
        box = ((float(where[0]), float(where[1])), (2 * radius, 2 * radius * rng.uniform(0.3, 1)), rng.uniform(0, 180))
        cv2.ellipse(picture, box, rng.uniform(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.8))
    share = rng.uniform(0, 1)
    mixed = share * picture + (1 - share) * (128 + 50 * field / field.std())[..., None]
    return np.asarray((mixed - 128) * rng.uniform(0.3, 1) + rng.uniform(80, 170))


def crop(photographs: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    photograph = photographs[rng.integers(len(photographs))]
    side = int(rng.uniform(SIDE, min(260, *photograph.shape[:2])))
    top, left = (int(rng.integers(0, length - side + 1)) for length in photograph.shape[:2])
    cut = np.ascontiguousarray(photograph[top : top + side, left : left + side])
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def material(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Pictures to shrink and enlarge, with some noise and JPEG in them as photographs have."""
    from skimage import data

    opened = [getattr(data, name)() for name in PHOTOGRAPHS]
    photographs = [item if item.ndim == 3 else np.repeat(item[..., None], 3, axis=2) for item in opened]
    drawn = [
        np.asarray(render(draw_identity(7, number), draw_nuisance(7, number, 0, 0.5)), np.float32)
        for number in range(count // 12)
    ]
    found = []
    for number in range(count):
        chosen = number % 4
        picture = leaves(rng) if chosen < 2 else crop(photographs, rng) if chosen < 3 else drawn[number % len(drawn)]
        noisy = np.clip(picture + rng.normal(0, rng.uniform(0, 6), picture.shape), 0, 255).astype(np.uint8)
        found.append(perhaps_jpeg(noisy, rng, 0.6, 60))
    return found


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and the side of each; 112 for those that were not enlarged."""
    rng = np.random.default_rng(seed)
    pictures, found, sides = material(rng, max(48, count // 5)), [], []
    for _ in range(count):
        picture = pictures[rng.integers(len(pictures))]
        if rng.random() < 0.55:
            sides.append(round(float(np.exp(rng.uniform(np.log(8), np.log(90))))))
            way = str(rng.choice(ALL, p=[0.12, 0.15, 0.2, 0.1, 0.06, 0.24, 0.13]))
            found.append(perhaps_jpeg(enlarged(picture, sides[-1], way, rng), rng, 0.5, 50))
        else:
            sides.append(SIDE)
            found.append(soft(picture, rng))
    parts = [features_of(np.stack(found[start : start + 64])) for start in range(0, count, 64)]
    return np.concatenate(parts), np.array(sides)


def fit(count: int, out: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given, sides = samples(count, 1)
    mean, scale = given.mean(axis=0), given.std(axis=0) + 0.05
    inputs, wanted = torch.from_numpy((given - mean) / scale).float(), torch.from_numpy(np.log2(sides)).float()
    network = nn.Sequential(nn.Linear(inputs.shape[1], HIDDEN), nn.GELU(approximate="tanh"), nn.Linear(HIDDEN, 2))
    epochs, batch = 30, 128
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=3e-2)
    steps = epochs * -(-count // batch)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    small = (wanted < np.log2(SMALL)).float()
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(count), batch):
            found = network(inputs[rows] + 0.05 * torch.randn(len(rows), inputs.shape[1]))
            off = nn.functional.smooth_l1_loss(found[:, 0] + 5, wanted[rows], beta=0.1, reduction="none")
            loss = 3 * (off * small[rows]).mean()
            loss = loss + nn.functional.binary_cross_entropy_with_logits(found[:, 1], small[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rates.step()

    def layer(own: nn.Module) -> np.ndarray:
        weight, bias = (value.detach() for value in own.parameters())
        joined: np.ndarray = torch.cat([weight, bias[:, None]], dim=1).numpy()
        return joined

    made = Weights(mean, scale, layer(network[0]), layer(network[2]), 0.0)
    others, true = samples(count // 3, 2)
    found = scores(others, made)
    whole = true == SIDE
    bound = float(np.quantile(np.where(found[whole, 0] <= LARGEST, found[whole, 1], -np.inf), KEPT))
    near = true < 32
    error = np.abs(found[near, 0] / true[near] - 1)
    share = float(np.mean(told(found, bound)[near]))
    print(f"bound {bound:.2f}; on other material: error {np.median(error):.3f} at the median, told {share:.3f}")
    arrays = {"mean": mean, "scale": scale, "hidden": made.hidden, "out": made.out}
    with out.open("wb") as stream:
        np.savez(
            stream, **{name: values.astype(np.float16) for name, values in arrays.items()}, bound=np.float32(bound)
        )


def measure(folder: Path, count: int, seed: int = 0) -> None:
    rng, weights = np.random.default_rng(seed), fitted()
    files = sorted(folder.glob("*/*"))
    faces = [np.asarray(Image.open(files[row]).convert("RGB")) for row in rng.choice(len(files), count, replace=False)]

    def shown(name: str, make: Callable[[np.ndarray], np.ndarray], side: int) -> None:
        found = scores(features_of(np.stack([make(face) for face in faces])), weights)
        known = told(found, weights.bound)
        error = np.abs(found[known, 0] / side - 1) if known.any() else np.array([np.nan])
        part = (
            f"error {np.median(error):.3f} at the median, {np.quantile(error, 0.9):.3f} at 90 %" if side < SIDE else ""
        )
        print(f"{name:28} {side:4} px: told in {100 * known.mean():5.1f} % {part}", flush=True)

    shown("as it is", lambda face: face, SIDE)
    for quality in (90, 60, 30):
        shown(f"JPEG {quality}", lambda face, quality=quality: jpeg(face, quality), SIDE)  # type: ignore[misc]
    for sigma in (1.0, 1.5, 2.0):
        shown(f"soft, sigma {sigma}", lambda face, s=sigma: cv2.GaussianBlur(face, (0, 0), s), SIDE)  # type: ignore[misc]
    for side in (8, 12, 16, 24, 32):
        for way in ALL:
            shown(way, lambda face, s=side, w=way: enlarged(face, s, w, rng), side)  # type: ignore[misc]
        shown(
            "any, JPEG 50 to 96 behind",
            lambda face, s=side: perhaps_jpeg(enlarged(face, s, str(rng.choice(ALL)), rng), rng, 1, 50),  # type: ignore[misc]
            side,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fit", "measure"])
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("src/lrface/images/enlargement.npz"))
    parser.add_argument("--faces", type=Path, default=None)
    given = parser.parse_args()
    if given.what == "fit":
        fit(given.count or 12_000, given.out)
    elif given.faces is None:
        parser.error("measure needs --faces")
    else:
        measure(given.faces, given.count or 400)
