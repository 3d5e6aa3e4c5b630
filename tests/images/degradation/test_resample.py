import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.degradation.resample import (
    check_size,
    enlarge,
    enlarge_matrices,
    enlarge_unclamped,
    resize_matrix,
    shrink,
    shrink_matrices,
)
from lrface.images.settings import KERNELS
from lrface.images.sizes import VLR_MAX, VLR_MIN

SIZES = range(VLR_MIN, VLR_MAX + 1)


def interpolated(images, size, kernel):
    if kernel == "area":
        return F.interpolate(images, size=(size, size), mode="area")
    mode, _, aliased = kernel.partition("_")
    return F.interpolate(images, size=(size, size), mode=mode, align_corners=False, antialias=not aliased)


@pytest.fixture
def images(generator):
    return torch.rand(2, 3, 112, 112, generator=generator)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sizes", [(112, 8), (112, 13), (112, 32), (112, 112), (9, 112), (31, 64), (20, 33)])
def test_a_matrix_resizes_as_torch_does(sizes, kernel, generator):
    source, target = sizes
    images = torch.rand(1, 3, source, source, generator=generator)
    matrix = resize_matrix(source, target, kernel)
    torch.testing.assert_close(matrix @ images @ matrix.mT, interpolated(images, target, kernel), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_faces_shrink_to_every_size_as_torch_shrinks_them(images, kernel):
    for size in SIZES:
        wanted = interpolated(images, size, kernel).clamp(0, 1)
        torch.testing.assert_close(shrink(images, size, kernel), wanted, atol=1e-5, rtol=0)


def test_faces_of_every_size_are_enlarged_as_torch_enlarges_them(generator):
    for size in SIZES:
        small = torch.rand(2, 3, size, size, generator=generator)
        wanted = F.interpolate(small, size=(112, 112), mode="bicubic", align_corners=False)
        torch.testing.assert_close(enlarge_unclamped(small), wanted, atol=1e-5, rtol=0)
        torch.testing.assert_close(enlarge(small), wanted.clamp(0, 1), atol=1e-5, rtol=0)


def test_enlarging_is_the_bicubic_of_opencv(generator):
    small = torch.rand(1, 3, 16, 16, generator=generator)
    theirs = cv2.resize(small[0].permute(1, 2, 0).numpy(), (112, 112), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(enlarge_unclamped(small)[0].permute(1, 2, 0).numpy(), theirs, atol=1e-5)


def test_a_step_overshoots_and_is_clamped():
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    assert enlarge_unclamped(step).max() > 1.01
    assert enlarge_unclamped(step).min() < -0.01
    assert enlarge(step).max() == 1
    assert enlarge(step).min() == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_even_grey_stays_even(kernel):
    grey = torch.full((1, 3, 112, 112), 0.37)
    torch.testing.assert_close(enlarge(shrink(grey, 11, kernel)), grey, atol=1e-5, rtol=0)


def test_antialiasing_makes_a_difference(images):
    assert (shrink(images, 8) - shrink(images, 8, "bicubic_aliased")).abs().max() > 0.1


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_stack_holds_every_matrix_and_nothing_beyond_it(kernel):
    down, up = shrink_matrices(kernel), enlarge_matrices()
    for place, size in enumerate(SIZES):
        assert torch.equal(down[place, :size], resize_matrix(112, size, kernel))
        assert not down[place, size:].any()
        assert torch.equal(up[place, :, :size], resize_matrix(size, 112, "bicubic_aliased"))
        assert not up[place, :, size:].any()


def test_double_precision_stays_double(generator):
    images = torch.rand(1, 3, 112, 112, generator=generator, dtype=torch.float64)
    assert shrink(images, 9).dtype == torch.float64
    assert enlarge(shrink(images, 9)).dtype == torch.float64


@pytest.mark.parametrize("size", [0, 7, 113])
def test_sizes_that_make_no_sense_are_refused(images, size):
    with pytest.raises(ConfigError, match=rf"got {size} pixels; expected 8 to 112"):
        shrink(images, size)


def test_sizes_at_the_bounds_are_taken():
    assert check_size(8) == 8
    assert check_size(112) == 112
    with pytest.raises(ConfigError):
        check_size(33, largest=VLR_MAX)
