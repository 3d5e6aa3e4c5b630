import pytest
import torch

from lrface.images.degradation.resample import enlarge
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.graphs import DsrGraph, PairGraph


@pytest.fixture(scope="module")
def dsr():
    """A super-resolver that does something: the last layer of a new one is zero."""
    torch.manual_seed(0)
    network = DSR("edge").eval().requires_grad_(False)
    network.tail.weight.normal_(0, 0.01)
    return network


@pytest.mark.parametrize("size", [8, 13, 32])
def test_the_size_is_read_from_the_input(dsr, size):
    vlr = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(size))
    torch.testing.assert_close(DsrGraph(dsr)(vlr), dsr(vlr), atol=1e-6, rtol=0)


def test_the_pair_gives_the_embedding_of_its_own_picture(dsr):
    edgeface = EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False)
    embedding, restored = PairGraph(dsr, edgeface)(torch.rand(2, 3, 12, 12))
    torch.testing.assert_close(embedding, edgeface(restored))


def test_a_face_that_is_too_small_gives_nan_and_one_that_is_too_large_an_error(dsr):
    assert DsrGraph(dsr)(torch.rand(1, 3, 7, 7)).isnan().all()
    with pytest.raises(IndexError):
        DsrGraph(dsr)(torch.rand(1, 3, 33, 33))


@pytest.mark.parametrize("size", [8, 13, 32])
def test_without_a_super_resolver_the_pair_enlarges_by_bicubic(size):
    edgeface = EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False)
    vlr = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(size))

    embedding, restored = PairGraph(None, edgeface)(vlr)

    torch.testing.assert_close(restored, enlarge(vlr), atol=1e-6, rtol=0)
    torch.testing.assert_close(embedding, edgeface(restored))
