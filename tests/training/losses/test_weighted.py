import pytest
import torch
from pydantic import ValidationError

from lrface.training.losses.settings import DsrLossSettings, PerceptualSettings
from lrface.training.losses.weighted import LossTerms, gradient_shares, share_of_size


@pytest.fixture
def image(generator):
    return torch.rand(2, 3, 4, 4, generator=generator).requires_grad_()


@pytest.fixture
def terms(image):
    return LossTerms({"l1": image.sum(), "tv": (image * 2).sum()}, {"l1": 1.0, "tv": 0.25})


def test_the_total_is_the_weighted_sum(image, terms):
    assert terms.total.item() == pytest.approx(1.5 * image.sum().item())


def test_the_log_gets_values_before_weighting_without_their_graph(image, terms):
    logged = terms.detached()
    assert logged["loss_tv"].item() == pytest.approx(2 * image.sum().item())
    assert logged["loss"].item() == pytest.approx(terms.total.item())
    assert set(logged) == {"loss", "loss_l1", "loss_tv"}
    assert not any(value.requires_grad for value in logged.values())


def test_shares_of_the_gradient_sum_to_one_and_leave_the_graph(image, terms):
    shares = gradient_shares(terms, image)
    assert shares == pytest.approx({"l1": 1 / 1.5, "tv": 0.5 / 1.5})
    terms.total.backward()
    torch.testing.assert_close(image.grad, torch.full_like(image, 1.5))


def test_shares_where_nothing_pulls(image):
    flat = LossTerms({"l1": (image * 0).sum()}, {"l1": 1.0})
    assert gradient_shares(flat, image) == {"l1": 0.0}


def test_the_users_weights_are_the_defaults():
    weights = DsrLossSettings().weights()
    assert weights.pop("contrast") == 0  # not the users': it is for experiments
    assert weights == {"l1": 1.0, "perceptual": 0.02, "identity": 0.5, "feature": 0.15, "tv": 3e-6}


def test_no_perceptual_network_switches_its_term_off():
    off = DsrLossSettings(perceptual_network=PerceptualSettings(weights="none"))
    assert off.weights()["perceptual"] == 0


@pytest.mark.parametrize("nonsense", [{"l1": -1}, {"tv": float("nan")}, {"l2": 1.0}])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        DsrLossSettings(**nonsense)


def test_a_loss_without_any_term_is_refused():
    with pytest.raises(ValidationError, match="every weight is 0"):
        DsrLossSettings(l1=0, perceptual=0, identity=0, feature=0, tv=0)
    with pytest.raises(ValidationError, match="every weight is 0"):
        DsrLossSettings(l1=0, identity=0, feature=0, tv=0, perceptual_network=PerceptualSettings(weights="none"))


def test_identity_fades_above_the_size_where_bicubic_has_lost_little():
    share = share_of_size(DsrLossSettings(fade_from=16), torch.tensor([8, 16, 24, 32]))
    torch.testing.assert_close(share, torch.tensor([1.0, 1.0, (16 / 24) ** 2, 0.25]))
    assert share_of_size(DsrLossSettings(fade_from=32), torch.arange(8, 33)).eq(1).all()
