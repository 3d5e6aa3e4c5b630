"""Every condition, kernel, effect of degradation and augmentation."""

import copy
from contextlib import contextmanager
from dataclasses import fields, replace

import pytest
import torch
from pydantic import ValidationError

from lrface.errors import LrfaceError
from lrface.evaluation.protocol import conditions as of_conditions
from lrface.evaluation.protocol.conditions import ConditionSettings, conditions, described
from lrface.images.augmentation import AugmentationDraw, augment, draw_augmentation
from lrface.images.degradation import degradation as of_degradation
from lrface.images.degradation.degradation import DegradationDraw, degrade, draw_degradation, fixed_draw
from lrface.images.degradation.resample import shrink
from lrface.images.settings import KERNELS, AugmentationSettings, DegradationSettings

from .common import DOCS, ELSEWHERE, faces, one_line, seeded


@pytest.fixture
def no_codec(monkeypatch):
    """Without Kornia's JPEG and its kernel of motion, which look at values: no device without values knows them."""

    @contextmanager
    def without():
        with monkeypatch.context() as patched:
            for module in (of_conditions, of_degradation):
                patched.setattr(module, "jpeg_codec_differentiable", lambda images, quality: images)
            patched.setattr(of_degradation, "_moved", lambda images, angle: images)
            yield

    return without


@pytest.mark.parametrize("name", conditions())
def test_a_condition_keeps_the_contract(name, no_codec):
    settings = ConditionSettings()
    make, images = conditions(settings)[name], faces(3)
    for size in (8, 17, 32, 112):
        before = images.clone()
        small = make(images, size)
        assert small.shape == (3, 3, size, size)
        assert small.dtype == torch.float32
        assert small.min() >= 0
        assert small.max() <= 1
        assert torch.equal(images, before)
        assert torch.equal(make(images, size), small)
    with no_codec():
        assert make(images.to(ELSEWHERE), 16).device == ELSEWHERE
    draws = not torch.equal(conditions(settings.model_copy(update={"seed": 1}))[name](images, 16), make(images, 16))
    assert draws == any(word in described(name) for word in ("noise", "any direction"))
    assert name == "clean" or described(name) != described("clean")
    assert f"`{name}`" in DOCS
    assert name == "clean" or not torch.equal(make(images, 16), conditions()["clean"](images, 16))
    with pytest.raises(LrfaceError) as caught:
        make(images, 7)
    one_line(caught, "7")


EVERYTHING = DegradationSettings(clean=0, blur=1, motion=0.5, noise=1, jpeg=1, brightness=1, misaligned=1)
VARIED = AugmentationSettings(geometry=1, blend=1, bend=1, colour=1)
EFFECTS = {
    "degradation": (EVERYTHING, draw_degradation, lambda images, draw: degrade(images, draw).enlarged, DegradationDraw),
    "augmentation": (VARIED, draw_augmentation, augment, AugmentationDraw),
}


def _same(one, other):
    return all(
        torch.equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(one)
        if getattr(one, field.name) is not None
    )


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_drawn_and_applied_keeps_the_contract(name, no_codec):
    settings, draw_of, apply, _ = EFFECTS[name]
    images, draw = faces(4), draw_of(settings, 4, seeded(1))
    before, drawn = images.clone(), copy.deepcopy(draw)
    made = apply(images, draw)
    assert _same(draw_of(settings, 4, seeded(1)), draw)
    assert not _same(draw_of(settings, 4, seeded(2)), draw)
    assert torch.equal(apply(images, draw), made)
    assert not torch.equal(apply(images, draw_of(settings, 4, seeded(2))), made)
    assert torch.equal(images, before)
    assert _same(draw, drawn)
    with no_codec():
        assert apply(images.to(ELSEWHERE), draw).device == ELSEWHERE


@pytest.mark.parametrize(
    ("name", "field"), [(name, field.name) for name in EFFECTS for field in fields(EFFECTS[name][3])]
)
def test_each_drawn_number_changes_the_face(name, field):
    settings, draw_of, apply, _ = EFFECTS[name]
    images = faces(4)
    draw, other = (draw_of(settings, 4, seeded(seed)) for seed in (1, 2))
    if field in {"partner", "partner_flip"}:
        other = replace(draw, partner=draw.partner.roll(1), partner_flip=~draw.partner_flip)
    if name == "degradation":
        draw = replace(draw, motion=torch.ones(4).bool())  # else the angle says nothing
        other = replace(other, motion=torch.zeros(4).bool(), stored=~other.stored)
        draw = replace(draw, jpeg_quality=draw.jpeg_quality * (field == "jpeg_quality"))  # which would hide a rounding
    else:
        draw = replace(draw, partner=torch.tensor([1, 2, 3, 0]))
        other = replace(other, flip=~draw.flip, moved=~draw.moved)
    changed = replace(draw, **{field: getattr(other, field)})
    assert not torch.equal(apply(images, changed), apply(images, draw))


def _others(settings, name):
    """Other values that a key may have."""
    field = type(settings).model_fields[name]
    now = getattr(settings, name)
    if field.annotation in (int, float):
        low, high = (
            next((getattr(bound, sign) for bound in field.metadata for sign in signs if hasattr(bound, sign)), None)
            for signs in (("ge", "gt"), ("le", "lt"))
        )
        for candidate in (now / 2, low, high, now + 1):
            if candidate is not None and candidate != now:
                yield field.annotation(candidate)


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in EFFECTS for key in type(EFFECTS[name][0]).model_fields if key != "real"]
)
def test_each_key_of_what_is_drawn_changes_the_draw(name, key):
    settings, draw_of, *_ = EFFECTS[name]
    candidates = [("area",)] if key == "kernels" else list(_others(settings, key))
    tries = []
    for value in candidates:
        try:
            tries.append(type(settings).model_validate({**settings.model_dump(), key: value}))
        except ValidationError:
            continue
    assert tries
    assert any(not _same(draw_of(other, 64, seeded(1)), draw_of(settings, 64, seeded(1))) for other in tries)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_keeps_the_contract(kernel):
    images = faces(2)
    small = shrink(images, 16, kernel)
    assert small.shape == (2, 3, 16, 16)
    assert shrink(images.to(ELSEWHERE), 16, kernel).device == ELSEWHERE
    made = degrade(images, fixed_draw(13, 2, kernel)).enlarged
    others = [degrade(images, fixed_draw(13, 2, other)).enlarged for other in KERNELS if other != kernel]
    assert all(not torch.equal(made, other) for other in others)
    assert kernel in DOCS
