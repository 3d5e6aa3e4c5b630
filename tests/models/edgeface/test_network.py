import pytest
import torch
from torch import nn

from lrface.errors import ConfigError
from lrface.models.edgeface.network import VARIANTS, EdgeFace, LowRankLinear, low_rank
from lrface.models.size import count_mflops, count_parameters

PUBLISHED = {
    "xxs": (1.24, 94.72),
    "xs_gamma_06": (1.77, 154.00),
    "s_gamma_05": (3.65, 306.12),
    "base": (18.23, 1398.83),
}


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def xxs():
    return EdgeFace("xxs").eval()


@pytest.mark.parametrize(("variant", "published"), PUBLISHED.items())
def test_sizes_are_the_published_ones(variant, published):
    model = EdgeFace(variant)
    assert round(count_parameters(model) / 1e6, 2) == published[0]
    assert count_mflops(model, torch.zeros(1, 3, 112, 112)) == pytest.approx(published[1], rel=3e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_table_counts_parameters_right(variant):
    assert count_parameters(EdgeFace(variant)) == VARIANTS[variant].parameters


def test_a_whole_head_is_an_option_of_the_gamma_variants():
    assert isinstance(EdgeFace("xs_gamma_06").projection, LowRankLinear)
    assert isinstance(EdgeFace("xs_gamma_06", low_rank_head=False).projection, nn.Linear)


def test_every_other_linear_of_a_gamma_variant_is_a_low_rank_pair():
    whole = {n: m for n, m in EdgeFace("s").named_modules() if isinstance(m, nn.Linear)}
    paired = dict(EdgeFace("s_gamma_05").named_modules())
    for name, linear in whole.items():
        pair = paired[name]
        assert isinstance(pair, LowRankLinear)
        assert pair.linear1.bias is None
        assert (pair.linear2.bias is None) == (linear.bias is None)
        assert pair.linear1.out_features == low_rank(linear.in_features, linear.out_features, 0.5)


def test_rank_is_never_below_two():
    assert low_rank(3, 100, 0.1) == 2
    assert low_rank(192, 512, 0.6) == 115


def test_embeddings_have_unit_length(xxs, images):
    embeddings = xxs(images)
    assert embeddings.shape == (2, 512)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_normalisation_happens_inside(xxs, images):
    by_hand = xxs.model((images - 0.5) / 0.5)
    torch.testing.assert_close(xxs(images), by_hand / by_hand.norm(dim=1, keepdim=True))


def test_one_pass_gives_embeddings_and_the_features_of_all_stages(xxs, images):
    embeddings, maps = xxs.embed_with_features(images)
    torch.testing.assert_close(embeddings, xxs(images), rtol=0, atol=0)
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 28, 28), (48, 14, 14), (88, 7, 7), (168, 3, 3)]


def test_features_come_in_the_order_asked_for(xxs, images):
    _, maps = xxs.embed_with_features(images)
    second, first, again = xxs.features(images, (2, 0, 2))
    assert torch.equal(second, maps[2])
    assert torch.equal(first, maps[0])
    assert torch.equal(again, maps[2])
    assert xxs.features(images, ()) == []


@pytest.mark.parametrize("stages", [(4,), (-1,), (0, 7)])
def test_a_stage_that_is_not_there_is_refused(xxs, images, stages):
    with pytest.raises(ConfigError, match="four stages"):
        xxs.features(images, stages)


@pytest.mark.parametrize("shape", [(1, 1, 112, 112), (1, 3, 16, 16), (3, 112, 112)])
def test_images_of_another_shape_are_refused(xxs, shape):
    with pytest.raises(ConfigError, match="112 x 112"):
        xxs(torch.zeros(shape))


@pytest.mark.parametrize("options", [{"variant": "xl"}, {"drop_path": 1.0}, {"drop_path": -0.1}, {"layer_scale": 0.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        EdgeFace(**options)


def test_parameter_groups_share_nothing_and_miss_nothing(xxs):
    head = {id(p) for p in xxs.head_parameters()}
    body = {id(p) for p in xxs.body_parameters()}
    last = {id(p) for p in xxs.last_stage_parameters()}
    assert head == {id(p) for p in xxs.projection.parameters()}
    assert head.isdisjoint(body)
    assert head | body == {id(p) for p in xxs.parameters()}
    assert last < body


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, second, other = EdgeFace(seed=1), EdgeFace(seed=1), EdgeFace(seed=2)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first.projection.weight, second.projection.weight)
    assert not torch.equal(first.projection.weight, other.projection.weight)


def test_there_is_no_batch_norm_and_dropout_sleeps(xxs):
    assert not list(xxs.buffers())
    assert all(m.p == 0 for m in xxs.modules() if isinstance(m, nn.Dropout))


def test_eval_is_deterministic_and_knows_no_neighbours(images):
    model = EdgeFace("xxs", drop_path=0.5, layer_scale=1.0).eval()
    both = model(images)
    assert torch.equal(both, model(images))
    torch.testing.assert_close(both[:1], model(images[:1]))


def test_drop_path_acts_in_training_alone(images):
    model = EdgeFace("xxs", drop_path=0.9, layer_scale=1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(model.train()(images), model(images))


def test_every_parameter_gets_a_gradient(images):
    model = EdgeFace("xs_gamma_06", layer_scale=1.0).train()
    weights = torch.rand(512, generator=torch.Generator().manual_seed(1))
    (model(images) * weights).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_half_precision_still_gives_exact_lengths(xxs, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings = xxs(images)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
