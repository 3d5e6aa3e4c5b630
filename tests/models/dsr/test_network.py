import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.degradation.degradation import SmallFaces, degrade, fixed_draw, small_faces
from lrface.images.degradation.resample import enlarge
from lrface.models.dsr.network import DSR, VARIANTS
from lrface.models.export.export import export_onnx
from lrface.models.settings import DsrSettings
from lrface.models.size import count_mflops, count_parameters

SIZES = range(8, 33)
TINY = DsrSettings(channels=(8, 12), blocks=(1, 1), attention_heads=2, finish=0)


def stirred(network, seed=3):
    """The network with random weights everywhere, zeros included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return network.eval()


@pytest.fixture(scope="module", params=list(VARIANTS))
def network(request):
    torch.manual_seed(0)
    return DSR(request.param).eval()


@torch.no_grad()
def test_the_untrained_network_is_bicubic_exactly_at_every_size(network, generator):
    for size in SIZES:
        vlr = torch.rand(1, 3, size, size, generator=generator)
        made = network(vlr)
        assert torch.equal(made, small_faces(vlr).enlarged.clamp(0, 1)), size
        torch.testing.assert_close(made, enlarge(vlr), atol=2e-6, rtol=0)
        theirs = F.interpolate(vlr, size=(112, 112), mode="bicubic", align_corners=False).clamp(0, 1)
        torch.testing.assert_close(made, theirs, atol=1e-5, rtol=0)


def test_sizes_of_the_variants():
    base, edge = count_parameters(DSR("base")), count_parameters(DSR("edge"))
    assert base < 5_500_000
    assert edge < base / 3


def test_edge_is_at_least_four_times_cheaper():
    vlr = torch.rand(1, 3, 16, 16)
    assert 4 * count_mflops(DSR("edge"), vlr) <= count_mflops(DSR("base"), vlr)


@torch.no_grad()
def test_a_trained_network_changes_the_face_and_stays_in_range(network, generator):
    trained = stirred(DSR(network.variant))
    for size in (8, 19, 32):
        vlr = torch.rand(2, 3, size, size, generator=generator)
        made = trained(vlr)
        assert made.shape == (2, 3, 112, 112)
        assert made.min() >= 0
        assert made.max() <= 1
        assert (made - enlarge(vlr)).abs().max() > 0.01


@torch.no_grad()
def test_a_batch_of_mixed_sizes_equals_its_faces_one_by_one(generator):
    trained = stirred(DSR("edge", TINY))
    faces = [small_faces(torch.rand(1, 3, size, size, generator=generator)) for size in (8, 13, 32)]
    together = trained.restore(
        SmallFaces(torch.cat([face.enlarged for face in faces]), torch.cat([face.size for face in faces]))
    )
    for row, face in enumerate(faces):
        torch.testing.assert_close(together[row : row + 1], trained.restore(face), atol=2e-5, rtol=0)


@torch.no_grad()
def test_the_size_steers_the_network(generator):
    trained = stirred(DSR("edge", TINY))
    enlarged = torch.rand(1, 3, 112, 112, generator=generator)
    small, large = (trained.restore(SmallFaces(enlarged, torch.tensor([size]))) for size in (8, 32))
    assert (small - large).abs().max() > 1e-3


def test_training_reaches_every_weight(generator):
    network = stirred(DSR("base", DsrSettings(channels=(8, 12), blocks=(1, 1), attention_heads=2, finish=4))).train()
    faces = degrade(torch.rand(2, 3, 112, 112, generator=generator), fixed_draw(12, 2))
    network.restore(faces).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_the_first_step_can_move_away_from_bicubic(generator):
    network = DSR("edge", TINY)
    faces = degrade(torch.rand(2, 3, 112, 112, generator=generator), fixed_draw(12, 2))
    (network.restore(faces) - 0.5).square().mean().backward()
    assert network.tail.weight.grad.abs().max() > 0


def test_half_precision_around_it_gives_single_precision_faces(generator):
    faces = small_faces(torch.rand(1, 3, 12, 12, generator=generator))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = DSR("edge", TINY).restore(faces)
    assert made.dtype == torch.float32
    assert torch.equal(made, faces.enlarged)


def test_the_network_is_the_same_in_onnx(tmp_path, generator):
    vlr = torch.rand(1, 3, 9, 9, generator=generator)
    report = export_onnx(stirred(DSR("edge", TINY)), vlr, tmp_path / "dsr.onnx", names=("vlr", "sr"))
    assert report.largest_difference < 1e-4


@pytest.mark.parametrize("shape", [(7, 7), (33, 33), (12, 16)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(ConfigError, match="square, 8 to 32 pixels"):
        DSR("edge", TINY)(torch.rand(1, 3, *shape))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="expected base or edge"):
        DSR("huge")


@pytest.mark.parametrize(
    "nonsense",
    [
        {"channels": (8, 16), "blocks": (1,)},
        {"channels": (), "blocks": ()},
        {"channels": (8, 8, 8, 8), "blocks": (1, 1, 1, 1)},
        {"channels": (8, 0), "blocks": (1, 1)},
        {"channels": (8,), "blocks": (-1,)},
        {"channels": (8, 10), "blocks": (1, 1), "attention_heads": 4},
        {"channels": (8,), "blocks": (1,), "finish": -1},
    ],
)
def test_a_network_that_cannot_be_built_is_refused_by_its_settings(nonsense):
    with pytest.raises(ValidationError):
        DsrSettings(**nonsense)


def test_one_harsh_step_does_not_silence_the_finishing_layer(generator):
    network = stirred(DSR("base", DsrSettings(channels=(8, 12), blocks=(1, 1), attention_heads=2, finish=4))).train()
    with torch.no_grad():
        network.finish[0].bias.fill_(-50)
        network.finish[3].bias.fill_(-50)
    small = degrade(torch.rand(2, 3, 112, 112, generator=generator), fixed_draw(12, 2))
    (network.restore(small) - small.enlarged).square().mean().backward()
    assert network.finish[0].weight.grad.abs().max() > 1e-6
    assert network.head.weight.grad.abs().max() > 1e-6
