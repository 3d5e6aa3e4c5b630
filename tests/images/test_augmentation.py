from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.geometry.transform import warp_affine
from pydantic import ValidationError
from torch.nn import functional as F

from lrface.images.augmentation import augment, draw_augmentation
from lrface.images.degradation.resample import enlarge, enlarge_unclamped
from lrface.images.settings import AugmentationSettings

OFF = AugmentationSettings(flip=0, geometry=0, blend=0, bend=0, colour=0)
FULL = AugmentationSettings(
    flip=0.5, rotation=30, scale=0.3, shift=20, geometry=1, blend=1, bend=1, bend_pixels=6, colour=1, tone=1,
    cast=0.7, field=0.7, saturation=1, contrast=0.9,
)  # fmt: skip


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images(generator):
    return torch.rand(8, 3, 112, 112, generator=generator) * 0.998 + 0.001


@pytest.fixture
def smooth(generator):
    coarse = torch.rand(8, 3, 9, 9, generator=generator) * 0.5 + 0.2
    return torch.nn.functional.interpolate(coarse, size=(112, 112), mode="bilinear", align_corners=True)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**62), st.sampled_from([0.0, 0.5, 1.0]))
def test_faces_stay_in_the_unit_range(seed, level):
    extremes = torch.rand(4, 3, 112, 112, generator=seeded(seed)).round()
    images = extremes if level == 0.5 else torch.full_like(extremes, level)
    made = augment(images, draw_augmentation(FULL, 4, seeded(seed)))
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_everything_off_changes_nothing(images):
    torch.testing.assert_close(augment(images, draw_augmentation(OFF, 8, seeded(0))), images, atol=1e-6, rtol=0)


def test_spreads_of_zero_change_nothing_even_when_drawn(images):
    still = AugmentationSettings(
        flip=0, rotation=0, scale=0, shift=0, geometry=1, blend=0, bend=1, bend_pixels=0, colour=1, tone=0, cast=0,
        field=0, saturation=0, contrast=0,
    )  # fmt: skip
    torch.testing.assert_close(augment(images, draw_augmentation(still, 8, seeded(0))), images, atol=2e-5, rtol=0)


def test_a_flip_is_a_mirror_image_and_happens_as_often_as_asked(images):
    always = draw_augmentation(OFF.model_copy(update={"flip": 1.0}), 8, seeded(0))
    torch.testing.assert_close(augment(images, always), images.flip(-1), atol=1e-6, rtol=0)
    often = draw_augmentation(AugmentationSettings(flip=0.3), 10_000, seeded(0)).flip.float().mean()
    assert often.item() == pytest.approx(0.3, abs=0.02)


def test_a_draw_is_a_function_of_its_generator(images):
    one, two, other = (draw_augmentation(FULL, 8, seeded(seed)) for seed in (4, 4, 5))
    assert all(torch.equal(getattr(one, field.name), getattr(two, field.name)) for field in fields(one))
    assert torch.equal(augment(images, one), augment(images, two))
    assert not torch.equal(augment(images, one), augment(images, other))


def test_nothing_global_is_drawn_and_nothing_is_written_to(images):
    before = images.clone()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    augment(images, draw_augmentation(FULL, 8, seeded(0)))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(images, before)


def test_geometry_moves_every_face_and_no_further_than_asked(smooth):
    setting = OFF.model_copy(update={"geometry": 1.0, "rotation": 0.0, "scale": 0.0, "shift": 6.0})
    draw = draw_augmentation(setting, 8, seeded(1))
    shifts = draw.affine[:, :, 2]
    assert shifts.abs().max() <= 6
    assert shifts.abs().max() > 1
    moved = augment(smooth, draw)
    for face, image, (right, down) in zip(smooth, moved, shifts.tolist(), strict=True):
        rows, columns = torch.meshgrid(torch.arange(30, 80), torch.arange(30, 80), indexing="ij")
        y, x = (rows - down) / 55.5 - 1, (columns - right) / 55.5 - 1
        grid = torch.stack([x, y], dim=-1)[None].float()
        wanted = torch.nn.functional.grid_sample(face[None], grid, align_corners=True)[0]
        torch.testing.assert_close(image[:, 30:80, 30:80], wanted, atol=0.01, rtol=0)


def test_rotation_turns_about_the_centre(smooth):
    setting = OFF.model_copy(update={"geometry": 1.0, "rotation": 45.0, "scale": 0.4, "shift": 0.0})
    draw = draw_augmentation(setting, 8, seeded(1))
    centre = torch.tensor([55.5, 55.5, 1.0])
    torch.testing.assert_close(draw.affine @ centre, centre[:2].expand(8, 2), atol=1e-3, rtol=0)
    size = torch.linalg.det(draw.affine[:, :, :2]).sqrt()
    assert size.min() > 0.6
    assert size.max() < 1.4


def test_a_blend_lies_between_a_face_and_its_partner(smooth):
    draw = draw_augmentation(OFF.model_copy(update={"blend": 1.0}), 8, seeded(3))
    low, high = torch.minimum(smooth, smooth[draw.partner]), torch.maximum(smooth, smooth[draw.partner])
    made = augment(smooth, draw)
    assert (made >= low - 1e-5).all()
    assert (made <= high + 1e-5).all()
    other = draw.partner != torch.arange(8)
    assert (made - smooth)[other].abs().amax((1, 2, 3)).min() > 0.01


def test_a_bend_changes_shape_and_invents_no_tone(smooth):
    draw = draw_augmentation(OFF.model_copy(update={"bend": 1.0, "bend_pixels": 4.0}), 8, seeded(3))
    made = augment(smooth, draw)
    assert (made - smooth).abs().amax((1, 2, 3)).min() > 0.01
    assert (made.amax((2, 3)) <= smooth.amax((2, 3)) + 0.02).all()
    assert (made.amin((2, 3)) >= smooth.amin((2, 3)) - 0.02).all()


def plainly(images, draw):
    """The effects one after the other, by the libraries' own functions."""
    images = torch.where(draw.flip.view(-1, 1, 1, 1), images.flip(-1), images)
    mask = enlarge(draw.mask, 112)
    images = images + (images[draw.partner] - images) * mask
    field = F.interpolate(draw.bend, size=(112, 112), mode="bicubic", align_corners=True) * (2 / 111)
    line = torch.linspace(-1, 1, 112)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1) + field.permute(0, 2, 3, 1)
    bent = F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=True).clamp(0, 1)
    images = torch.where(draw.bend.abs().amax((1, 2, 3), keepdim=True) > 0, bent, images)
    moved = warp_affine(images, draw.affine, (112, 112), padding_mode="reflection")
    images = torch.where(draw.moved.view(-1, 1, 1, 1), moved, images)
    light = enlarge_unclamped(draw.light, 112).exp()
    images = images.clamp(1e-4, 1) ** draw.gamma.view(-1, 3, 1, 1) * draw.gain.view(-1, 3, 1, 1) * light
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * draw.saturation.view(-1, 1, 1, 1)
    mean = images.mean((1, 2, 3), keepdim=True)
    return (mean + (images - mean) * draw.contrast.view(-1, 1, 1, 1)).clamp(0, 1)


@pytest.mark.parametrize("setting", [AugmentationSettings(blend=0.4, bend=0.5), FULL])
def test_the_quick_ways_are_those_of_the_libraries(smooth, setting):
    draw = draw_augmentation(setting, 8, seeded(6))
    torch.testing.assert_close(augment(smooth, draw), plainly(smooth, draw), atol=2e-5, rtol=0)


def test_grey_faces_become_coloured():
    grey = torch.linspace(0, 1, 112).expand(8, 3, 112, 112)
    made = augment(grey, draw_augmentation(AugmentationSettings(colour=1.0), 8, seeded(3)))
    assert (made.amax(1) - made.amin(1)).amax((1, 2)).min() > 0.03


def test_no_saturation_left_is_grey(images):
    draw = draw_augmentation(OFF, 8, seeded(0))
    grey = type(draw)(**{**vars(draw), "saturation": torch.zeros(8)})
    made = augment(images, grey)
    torch.testing.assert_close(made, images.mean(1, keepdim=True).expand_as(made), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "nonsense",
    [{"flip": 1.1}, {"scale": 0.5}, {"rotation": -1}, {"contrast": 1.0}, {"tone": float("inf")}, {"hue": 0.1}],
)
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        AugmentationSettings(**nonsense)
