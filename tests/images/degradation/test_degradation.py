from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.filters import filter2d, gaussian_blur2d, get_motion_kernel2d
from pydantic import ValidationError
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.degradation.degradation import degrade, draw_degradation, fixed_draw, small_faces
from lrface.images.degradation.resample import enlarge_unclamped, shrink
from lrface.images.settings import KERNELS, DegradationSettings
from lrface.images.sizes import VLR_MAX, VLR_MIN

EVERYTHING = DegradationSettings(clean=0.0, blur=1.0, motion=1.0, noise=1.0, jpeg=1.0, brightness=1.0, misaligned=1.0)
EFFECTS = {"blur": 0.0, "motion": 0.0, "noise": 0.0, "jpeg": 0.0, "brightness": 0.0}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def same(one, other):
    return all(torch.equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def lowest_frequencies_only(images):
    """Smooth faces: what is said of strengths below does not depend on pixels that shrinking loses."""
    return F.interpolate(F.adaptive_avg_pool2d(images, 6), size=(112, 112), mode="bicubic").clamp(0, 1)


@pytest.fixture
def images(generator):
    return torch.rand(6, 3, 112, 112, generator=generator)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_fixed_draw_shrinks_and_enlarges_and_does_nothing_else(images, kernel):
    for size in range(VLR_MIN, VLR_MAX + 1):
        made = degrade(images[:2], fixed_draw(size, 2, kernel))
        wanted = enlarge_unclamped(shrink(images[:2], size, kernel))
        torch.testing.assert_close(made.enlarged, wanted, atol=5e-6, rtol=0)
        assert made.size.tolist() == [size, size]


def test_a_draw_can_be_replayed(images):
    draw = draw_degradation(EVERYTHING, 6, seeded(1))
    first, second = degrade(images, draw), degrade(images, draw)
    assert torch.equal(first.enlarged, second.enlarged)
    assert torch.equal(first.size, second.size)


def test_faces_are_not_written_to(images):
    before = images.clone()
    degrade(images, draw_degradation(EVERYTHING, 6, seeded(1)))
    assert torch.equal(images, before)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**62))
def test_a_batch_of_mixed_sizes_equals_its_faces_one_by_one(seed):
    images = torch.rand(4, 3, 112, 112, generator=seeded(seed))
    draw = draw_degradation(EVERYTHING.model_copy(update={"clean": 0.3, "motion": 0.5}), 4, seeded(seed))
    together = degrade(images, draw)
    for row in range(4):
        alone = degrade(images[row : row + 1], draw.take(slice(row, row + 1)))
        torch.testing.assert_close(together.enlarged[row : row + 1], alone.enlarged, atol=5e-6, rtol=0)


def test_a_draw_is_a_function_of_its_generator():
    assert same(draw_degradation(EVERYTHING, 5, seeded(3)), draw_degradation(EVERYTHING, 5, seeded(3)))
    assert not same(draw_degradation(EVERYTHING, 5, seeded(3)), draw_degradation(EVERYTHING, 5, seeded(4)))


def test_drawing_leaves_the_global_generator_alone(images):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    degrade(images, draw_degradation(EVERYTHING, 6, seeded(3)))
    assert torch.equal(torch.rand(3), expected)


def test_some_faces_of_a_draw_by_slice_and_by_rows():
    draw = draw_degradation(EVERYTHING, 5, seeded(3))
    assert len(draw) == 5
    assert same(draw.take(slice(1, 3)), draw.take(torch.tensor([1, 2])))
    assert torch.equal(draw.take(torch.tensor([4, 0])).size, draw.size[[4, 0]])


def test_a_draw_moves_whole_to_another_device():
    moved = draw_degradation(EVERYTHING, 2, seeded(3)).to(torch.device("meta"))
    assert all(getattr(moved, field.name).device.type == "meta" for field in fields(moved))


def test_a_draw_for_another_number_of_faces_is_refused(images):
    with pytest.raises(ConfigError, match="got a draw for 2 faces; expected 6"):
        degrade(images, fixed_draw(8, 2))


@given(st.integers(8, 32), st.integers(8, 32), st.floats(0, 2), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_sizes_stay_within_their_bounds(one, other, bias, seed):
    low, high = sorted((one, other))
    drawn = draw_degradation(DegradationSettings(size_min=low, size_max=high, small_bias=bias), 50, seeded(seed))
    assert int(drawn.size.min()) >= low
    assert int(drawn.size.max()) <= high


def test_without_bias_all_sizes_are_as_frequent():
    size = draw_degradation(DegradationSettings(small_bias=0.0), 5_000, seeded(2)).size
    counts = torch.bincount(size, minlength=33)[8:]
    assert counts.min() > 150
    assert counts.max() < 250


def test_a_bias_of_one_is_even_in_log_size():
    size = draw_degradation(DegradationSettings(small_bias=1.0), 5_000, seeded(2)).size
    frequency = torch.bincount(size, minlength=33)[8:].double() / 5_000
    wanted = 1 / torch.arange(8, 33).double()
    torch.testing.assert_close(frequency, wanted / wanted.sum(), atol=0.015, rtol=0)


def test_probabilities_and_bounds_are_kept():
    setting = DegradationSettings(clean=0.4, blur=0.5, motion=0.25, noise=0.75, jpeg=0.5, brightness=0.5)
    draw = draw_degradation(setting, 4_000, seeded(2))
    dirty = draw.stored
    assert dirty.float().mean().item() == pytest.approx(0.6, abs=0.03)
    present = {
        "blur": (draw.blur_sigma > 0, 0.5),
        "motion": (draw.motion, 0.25),
        "noise": (draw.noise.abs().amax((1, 2, 3)) > 0, 0.75),
        "jpeg": (draw.jpeg_quality > 0, 0.5),
        "brightness": (draw.gain != 1, 0.5),
    }
    for name, (rows, probability) in present.items():
        assert not (rows & ~dirty).any(), name
        assert rows[dirty].float().mean().item() == pytest.approx(probability, abs=0.04), name
    assert draw.blur_sigma.max() <= setting.blur_sigma
    assert draw.gain.min() >= 1 - setting.brightness_range
    assert draw.gain.max() <= 1 + setting.brightness_range
    quality = draw.jpeg_quality[draw.jpeg_quality > 0]
    assert quality.min() >= setting.jpeg_quality_min
    assert quality.max() <= 100
    assert 0.9 * setting.noise_sigma < draw.noise.std(dim=(1, 2, 3)).max() < 1.1 * setting.noise_sigma


def test_kernels_are_drawn_as_often_as_they_are_named():
    kernel = draw_degradation(DegradationSettings(kernels=("area", "area", "bicubic")), 3_000, seeded(2)).kernel
    assert set(kernel.tolist()) == {KERNELS.index("area"), KERNELS.index("bicubic")}
    assert (kernel == KERNELS.index("area")).float().mean().item() == pytest.approx(2 / 3, abs=0.03)


def test_clean_faces_keep_their_fractions_and_dirty_ones_are_stored_as_bytes(images):
    draw = replace(fixed_draw(32, 6), stored=torch.tensor([True, False] * 3))
    plain, stored = degrade(images, fixed_draw(32, 6)).enlarged, degrade(images, draw).enlarged
    assert torch.equal(plain[1::2], stored[1::2])
    assert 0 < (plain[::2] - stored[::2]).abs().max() < 2 / 255


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_alone_changes_the_face(images, effect):
    setting = DegradationSettings(clean=0.0, size_min=24, size_max=24, kernels=("area",), **{**EFFECTS, effect: 1.0})
    draw = draw_degradation(setting, 6, seeded(2))
    plain = degrade(images, replace(fixed_draw(24, 6, "area"), stored=draw.stored)).enlarged
    changed = (degrade(images, draw).enlarged - plain).abs().amax((1, 2, 3))
    assert changed.median() > 1 / 255  # a blur may be drawn so weak that nothing shows


def test_blur_takes_detail_away_and_leaves_the_mean(images):
    draw = replace(fixed_draw(32, 6, "area"), blur_sigma=torch.full((6,), 2.0))
    plain, blurred = degrade(images, fixed_draw(32, 6, "area")).enlarged, degrade(images, draw).enlarged
    assert (blurred.std((2, 3)) < 0.8 * plain.std((2, 3))).all()
    torch.testing.assert_close(blurred.mean((2, 3)), plain.mean((2, 3)), atol=0.01, rtol=0)


def test_defocus_and_motion_are_those_of_kornia(images):
    sigma, motion = torch.tensor([0.05, 0.7, 2.5, 0.0, 1.3, 0.0]), torch.tensor([0, 0, 0, 1, 1, 0]).bool()
    angle = torch.tensor([0.0, 0.0, 0.0, 30.0, 200.0, 0.0])
    draw = replace(fixed_draw(20, 6), blur_sigma=sigma, motion=motion, motion_angle=angle)
    made = degrade(images, draw).enlarged
    seen = images.clone()
    blurred = sigma > 0
    seen[blurred] = gaussian_blur2d(images[blurred], (15, 15), sigma[blurred].unsqueeze(1).expand(-1, 2), "reflect")
    kernel = get_motion_kernel2d(15, angle[motion], torch.zeros(2))
    seen[motion] = filter2d(seen[motion], kernel, border_type="reflect")
    torch.testing.assert_close(made, degrade(seen, fixed_draw(20, 6)).enlarged, atol=5e-6, rtol=0)


def test_motion_smears_along_its_angle():
    lines = torch.zeros(1, 3, 112, 112)
    lines[..., ::8] = 1
    along, across = (
        degrade(lines, replace(fixed_draw(32, 1, "area"), motion=torch.tensor([True]), motion_angle=angle)).enlarged
        for angle in (torch.tensor([90.0]), torch.tensor([0.0]))
    )
    assert along.std() > 1.5 * across.std()


def test_exposure_multiplies(images):
    smooth = lowest_frequencies_only(images) * 0.7
    draw = replace(fixed_draw(16, 6), gain=torch.full((6,), 1.3))
    torch.testing.assert_close(
        degrade(smooth, draw).enlarged, degrade(smooth, fixed_draw(16, 6)).enlarged * 1.3, atol=1e-5, rtol=0
    )


def test_lower_jpeg_quality_costs_more(images):
    grey = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)

    def error(quality):
        draw = replace(fixed_draw(24, 6), jpeg_quality=torch.full((6,), quality))
        return (degrade(grey, draw).enlarged - degrade(grey, fixed_draw(24, 6)).enlarged).square().mean()

    assert error(20.0) > 2 * error(90.0)


@pytest.mark.parametrize("size", [8, 11, 29])
def test_the_margin_beyond_a_small_face_makes_no_edge_in_jpeg(size):
    white = torch.ones(1, 3, 112, 112)
    draw = replace(fixed_draw(size, 1), jpeg_quality=torch.tensor([30.0]))
    torch.testing.assert_close(degrade(white, draw).enlarged, white, atol=0.01, rtol=0)


def test_given_pixels_take_the_form_of_degraded_ones(images):
    vlr = shrink(images, 13)
    given, made = small_faces(vlr), degrade(images, fixed_draw(13, 6))
    torch.testing.assert_close(given.enlarged, made.enlarged, atol=5e-6, rtol=0)
    assert torch.equal(given.size, made.size)


@pytest.mark.parametrize("shape", [(7, 7), (33, 33), (8, 9), (112, 112)])
def test_pixels_of_another_size_are_refused(shape):
    with pytest.raises(ConfigError, match=f"got {shape[0]} x {shape[1]} pixels; expected square, 8 to 32"):
        small_faces(torch.zeros(1, 3, *shape))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"size_min": 7},
        {"size_max": 33},
        {"size_min": 20, "size_max": 10},
        {"kernels": ()},
        {"kernels": ("nearest",)},
        {"blur": 1.2},
        {"clean": -0.1},
        {"noise_sigma": float("nan")},
        {"jpeg_quality_min": 0},
        {"brightness_range": 1.0},
        {"blur_sgima": 2.0},
    ],
)
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        DegradationSettings(**nonsense)
