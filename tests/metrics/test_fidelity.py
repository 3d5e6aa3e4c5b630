import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lrface.errors import EvaluationError
from lrface.metrics.fidelity import psnr, ssim


def pictures(seed=0, count=6, side=40):
    generator = torch.Generator().manual_seed(seed)
    original = torch.rand(count, 3, side, side, generator=generator)
    noise = torch.randn(count, 3, side, side, generator=generator)
    return (original + 0.1 * noise).clamp(0, 1), original


def as_hwc(batch):
    return batch.permute(0, 2, 3, 1).double().numpy()


def test_psnr_agrees_with_skimage():
    picture, original = pictures()
    expected = [
        peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(as_hwc(original), as_hwc(picture), strict=True)
    ]
    np.testing.assert_allclose(psnr(picture, original).numpy(), expected, atol=1e-6)


def test_ssim_agrees_with_skimage():
    picture, original = pictures(1)
    expected = [
        structural_similarity(
            a, b, data_range=1.0, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(as_hwc(original), as_hwc(picture), strict=True)
    ]
    np.testing.assert_allclose(ssim(picture.double(), original.double()).numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(ssim(picture, original).numpy(), expected, atol=1e-4)


def test_equal_pictures_are_perfect():
    _, original = pictures(2)
    assert torch.isinf(psnr(original, original)).all()
    np.testing.assert_allclose(ssim(original, original).numpy(), 1.0, atol=1e-6)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_a_wrong_range_or_shape_is_refused(measure):
    picture, original = pictures(3)
    with pytest.raises(EvaluationError, match="0 to 1"):
        measure(picture * 255.0, original)
    with pytest.raises(EvaluationError, match="one shape"):
        measure(picture[:, :, 1:], original)


def test_ssim_refuses_faces_smaller_than_its_window():
    small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(EvaluationError, match="11x11"):
        ssim(small, small)
