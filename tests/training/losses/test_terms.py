import math

import pytest
import torch
from torch.nn import functional as F

from lrface.training.losses.terms import (
    contrast_loss,
    feature_matching_loss,
    identity_loss,
    pixel_loss,
    total_variation_loss,
)


def rand(generator, *shape):
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def test_each_distance_is_zero_on_identical_images(generator):
    images, embeddings = rand(generator, 2, 3, 8, 8), F.normalize(rand(generator, 4, 512) - 0.5)
    assert pixel_loss(images, images) == 0
    assert identity_loss(embeddings, embeddings).abs() < 1e-12
    assert feature_matching_loss([images, images[:, :2]], [images, images[:, :2]]) == 0


def test_each_distance_is_positive_on_others(generator):
    one, other = rand(generator, 2, 3, 8, 8), rand(generator, 2, 3, 8, 8)
    assert pixel_loss(one, other) > 0
    assert identity_loss(one.flatten(1), other.flatten(1)) > 0
    assert feature_matching_loss([one], [other]) > 0


def test_total_variation_is_least_on_an_even_image_and_sums_steps():
    assert total_variation_loss(torch.full((2, 3, 8, 8), 0.4)) == 0
    step = torch.zeros(2, 3, 8, 8)
    step[..., 4:] = 0.5
    step[1] = 0
    assert total_variation_loss(step).item() == pytest.approx(3 * 8 * 0.5 / 2)


def test_the_formulas_by_hand():
    one, other = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]])
    assert identity_loss(one, other).item() == pytest.approx(1 - 24 / 25)
    assert identity_loss(one, -one).item() == pytest.approx(2)
    ours, theirs = one.view(1, 2, 1, 1), other.view(1, 2, 1, 1)
    assert feature_matching_loss([ours, theirs], [theirs, theirs]).item() == pytest.approx((0.2**2 + 0.2**2) / 2)
    assert pixel_loss(one.view(1, 2, 1, 1), other.view(1, 2, 1, 1)).item() == pytest.approx(1)


def test_a_stage_does_not_outweigh_another_by_its_scale(generator):
    one, other = rand(generator, 2, 5, 4, 4), rand(generator, 2, 5, 4, 4)
    assert feature_matching_loss([one * 1000], [other]).item() == pytest.approx(
        feature_matching_loss([one], [other]).item()
    )


def test_another_number_of_stages_is_refused(generator):
    one = rand(generator, 1, 2, 4, 4)
    with pytest.raises(ValueError, match="zip"):
        feature_matching_loss([one], [one, one])


def test_a_share_says_how_much_each_face_counts(generator):
    one, other = rand(generator, 3, 4, 5, 5), rand(generator, 3, 4, 5, 5)
    flat_one, flat_other = one.flatten(1), other.flatten(1)
    share = torch.tensor([1.0, 0.25, 0.0], dtype=torch.float64)
    by_hand = (identity_loss(flat_one[:1], flat_other[:1]) + 0.25 * identity_loss(flat_one[1:2], flat_other[1:2])) / 3
    assert identity_loss(flat_one, flat_other, share).item() == pytest.approx(by_hand.item())
    first, second = (feature_matching_loss([one[row][None]], [other[row][None]]) for row in (0, 1))
    by_hand = (first + 0.25 * second) / 3
    assert feature_matching_loss([one], [other], share).item() == pytest.approx(by_hand.item())
    full = torch.ones(3, dtype=torch.float64)
    assert identity_loss(flat_one, flat_other, full) == identity_loss(flat_one, flat_other)


def test_contrast_is_small_where_each_face_is_nearest_its_own_and_not_where_all_are_alike(generator):
    hr = F.normalize(rand(generator, 6, 32) - 0.5)
    assert contrast_loss(hr, hr) < 0.2
    average = F.normalize(hr.mean(0, keepdim=True)).expand(6, -1)
    assert contrast_loss(average, hr) > 5 * contrast_loss(hr, hr)


def test_contrast_by_hand_and_faces_of_one_person_are_no_negatives():
    hr = torch.eye(3, dtype=torch.float64)
    among_three, among_two = (math.log(1 + others * math.exp(-10)) for others in (2, 1))
    assert contrast_loss(hr, hr).item() == pytest.approx(among_three)
    twins = hr[[0, 0, 1]]
    assert contrast_loss(twins, twins).item() == pytest.approx((2 * among_two + among_three) / 3)


TERMS = {
    "contrast": (lambda restored, target: contrast_loss(restored - 0.5, target - 0.5), (3, 16)),
    "l1": (pixel_loss, (2, 3, 4, 4)),
    "identity": (identity_loss, (3, 16)),
    "feature": (lambda restored, target: feature_matching_loss([restored], [target]), (2, 4, 3, 3)),
    "tv": (lambda restored, target: total_variation_loss(restored), (2, 3, 4, 4)),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_agree_with_finite_differences(name, generator):
    term, shape = TERMS[name]
    restored, target = rand(generator, *shape).requires_grad_(), rand(generator, *shape)
    assert torch.autograd.gradcheck(lambda image: term(image, target), restored)
    assert term(restored, target).dtype == torch.float64


@pytest.mark.parametrize("name", TERMS)
def test_a_small_step_against_the_gradient_lowers_the_loss(name, generator):
    term, shape = TERMS[name]
    restored, target = rand(generator, *shape).requires_grad_(), rand(generator, *shape)
    (gradient,) = torch.autograd.grad(term(restored, target), restored)
    assert term(restored - 1e-4 * gradient / gradient.norm(), target) < term(restored, target)
