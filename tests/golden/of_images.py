"""Drawn faces, small ones, augmented ones, aligned ones, and how large they are told to be."""

from dataclasses import fields

import numpy as np
import torch

from lrface.evaluation.protocol.conditions import conditions
from lrface.images.alignment import TEMPLATE, resize, robust_similarity, similarity, similarity_error, warp, yaw
from lrface.images.augmentation import AugmentationDraw, augment, draw_augmentation
from lrface.images.degradation.degradation import DegradationDraw, degrade, draw_degradation, fixed_draw
from lrface.images.degradation.enlargement import effective_sides, features_of, fitted, scores
from lrface.images.degradation.misalignment import misaligned
from lrface.images.degradation.resample import brought_back, enlarge, shrink
from lrface.images.procedural import draw_identity, draw_nuisance, landmarks, render
from lrface.images.settings import KERNELS, AugmentationSettings, DegradationSettings

from .inputs import faces, numbers, stored_faces
from .summary import Tolerance

SUMS = Tolerance(1e-6, 1e-5, "float32 sums in another order")
EXACT = Tolerance(1e-9, 1e-7, "drawn on the CPU or computed in float64: the same bits, but for the last of a function")
ROUNDED = Tolerance(3e-4, 1.01 / 255, "after rounding to 8 bits a few values on the edge may be one level off")
JPEG = Tolerance(
    5e-4, 8.01 / 255, "a coefficient of JPEG on the edge between two steps moves its whole block by a few levels"
)
DRAWN = Tolerance(3e-4, 4.01 / 255, "OpenCV rounds lines and blurs to levels; at edges a few may be off")
PATH = Tolerance(1e-4, 2.01 / 255, "OpenCV warps and resizes in fixed point, by vector instructions of the machine")


def drawing():
    """`images.procedural`."""
    for subject in range(3):
        identity, nuisance = draw_identity(9, subject), draw_nuisance(9, subject, 0, 1.0)
        yield f"face_{subject}", render(identity, nuisance)[None], DRAWN
        yield f"landmarks_{subject}", landmarks(identity, nuisance), EXACT


def conditioned():
    """`evaluation.conditions`: each by its name."""
    tolerances = {"clean": SUMS, "blur": SUMS, "misaligned": SUMS, "noise": ROUNDED}
    for name, make in conditions().items():
        for size in (12, 24):
            yield f"{name}/{size}", make(faces(3), size), tolerances.get(name, JPEG)


def _one(count, **changes):
    return DegradationDraw(**{**vars(fixed_draw(16, count)), "size": torch.tensor([8, 12, 20, 32][:count]), **changes})


def degraded():
    """`images.degradation`: each kernel, each effect alone, and what is drawn at a seed."""
    hr = faces(4)
    for kernel in KERNELS:
        yield f"kernel_{kernel}", degrade(hr[:2], fixed_draw(13, 2, kernel)).enlarged, SUMS
    on = torch.ones(4)
    yield "defocus", degrade(hr, _one(4, blur_sigma=torch.tensor([0.5, 1.0, 1.7, 2.5]))).enlarged, SUMS
    angles = torch.tensor([0.0, 40.0, 100.0, 300.0])
    yield "motion", degrade(hr, _one(4, motion=on.bool(), motion_angle=angles)).enlarged, SUMS
    exposed = _one(4, gain=torch.tensor([0.7, 0.9, 1.1, 1.3]), noise=0.03 * numbers("noise", 4, 3, 32, 32))
    yield "exposure_and_noise", degrade(hr, exposed).enlarged, SUMS
    coded = _one(4, jpeg_quality=torch.tensor([30.0, 50.0, 70.0, 95.0]))
    yield "jpeg", degrade(hr, coded).enlarged, JPEG
    yield "stored", degrade(hr, _one(4, stored=on.bool())).enlarged, ROUNDED
    box = torch.tensor([[1.0, -0.5, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 1.0], [-0.7, 0.7, -0.3, 0.5]])
    yield "box", misaligned(hr, box, torch.tensor([8, 12, 20, 32])), SUMS
    settings = DegradationSettings(misaligned=0.5, clean=0.2)
    draw = draw_degradation(settings, 6, torch.Generator().manual_seed(3))
    for field in fields(draw):
        yield f"draw/{field.name}", getattr(draw, field.name), EXACT if field.name != "noise" else SUMS
    yield "drawn", degrade(faces(6), draw).enlarged, JPEG


def augmented():
    """`images.augmentation`: each effect alone with parameters that are given, and what is drawn at a seed."""
    hr = faces(4)
    none = draw_augmentation(
        AugmentationSettings(flip=0, geometry=0, colour=0, blend=0, bend=0), 4, torch.Generator().manual_seed(0)
    )

    def only(**changes):
        return augment(hr, AugmentationDraw(**{**vars(none), **changes}))

    yield "nothing", only(), SUMS
    yield "flip", only(flip=torch.tensor([True, False, True, False])), SUMS
    turn = torch.tensor([[0.99, -0.1, 5.0], [0.1, 0.99, -6.0]])
    stretch = torch.tensor([[1.06, 0.0, -3.0], [0.0, 1.06, 1.5]])
    moved = {"moved": torch.ones(4).bool(), "affine": torch.stack([turn, stretch, turn, stretch])}
    yield "geometry", only(**moved), SUMS
    yield "bend", only(bend=2 * numbers("bend", 4, 2, 5, 5)), SUMS
    partner = torch.tensor([1, 2, 3, 0])
    blend = {"partner": partner, "partner_flip": partner > 1, "mask": numbers("mask", 4, 1, 4, 4).sigmoid()}
    yield "blend", only(**blend), SUMS
    yield "gamma", only(gamma=torch.exp(0.3 * numbers("gamma", 4, 3))), SUMS
    yield "gain", only(gain=torch.exp(0.1 * numbers("gain", 4, 3))), SUMS
    yield "light", only(light=0.1 * numbers("light", 4, 3, 4, 4)), SUMS
    yield "saturation", only(saturation=torch.tensor([0.6, 0.9, 1.2, 1.4])), SUMS
    yield "contrast", only(contrast=torch.tensor([0.75, 0.9, 1.1, 1.25])), SUMS
    draw = draw_augmentation(AugmentationSettings(blend=0.5, bend=0.5), 6, torch.Generator().manual_seed(3))
    for field in fields(draw):
        yield f"draw/{field.name}", getattr(draw, field.name), Tolerance(1e-6, 2e-5, "functions in float32")
    yield "drawn", augment(faces(6), draw), SUMS


def resampled():
    """`images.resample`: what every arm begins with."""
    hr = faces(2)
    for size in (8, 16, 31):
        small = shrink(hr, size)
        yield f"shrunk/{size}", small, SUMS
        yield f"bicubic/{size}", enlarge(small), SUMS
        yield f"brought_back/{size}", brought_back(enlarge(small), size), SUMS


def aligned():
    """`images.alignment`: the map from landmarks, and the face under it."""
    picture = np.concatenate([np.concatenate(stored_faces()[:2], axis=1), np.concatenate(stored_faces()[2:4], axis=1)])
    noise = numbers("landmarks", 3, 5, 2).double().numpy()
    for number, (scale, shift, spread) in enumerate(((0.6, (20, 30), 1.0), (1.0, (60, 70), 2.0), (1.9, (5, 3), 3.0))):
        points = TEMPLATE * scale + shift + spread * noise[number]
        yield f"similarity_{number}", similarity(points), EXACT
        yield f"robust_{number}", robust_similarity(points), EXACT
        yield f"told_{number}", [*similarity_error(points), yaw(points)], EXACT
        yield f"face_{number}", warp(picture, robust_similarity(points))[None], PATH
    for side in (20, 200):
        yield f"resized_from_{side}", resize(resize(stored_faces()[1], side))[None], PATH


def sides():
    """`images.enlargement`: the side that enlarged faces are told to have."""
    hr = faces(8)
    for size in (8, 16, 24, 112):
        shown = hr if size == 112 else enlarge(shrink(hr, size))
        given = (shown * 255).round().byte().permute(0, 2, 3, 1).numpy()
        told = scores(features_of(given), fitted())
        why = "logarithms of a spectrum, in float32, behind a rounding to 8 bits"
        yield f"scores/{size}", told, Tolerance(0.1, 0.5, why)
        yield f"side/{size}", effective_sides(given), Tolerance(0.1, 0.5, why)
