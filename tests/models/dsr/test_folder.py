import pytest
import torch

from lrface.errors import WeightsError
from lrface.models.dsr.folder import build_dsr, dsr_spec, load_dsr
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import DsrSettings
from lrface.models.store import CONFIG_NAME, WEIGHTS_NAME, write_model

TINY = DsrSettings(channels=(8,), blocks=(1,), attention_heads=2, finish=0)


@pytest.fixture
def network():
    torch.manual_seed(4)
    made = DSR("edge", TINY)
    torch.nn.init.normal_(made.tail.weight)
    return made


@pytest.fixture
def folder(network, tmp_path):
    write_model(tmp_path / "model", network, dsr_spec(network, licence="CC0-1.0"))
    return tmp_path / "model"


def refusal(folder):
    with pytest.raises(WeightsError) as caught:
        load_dsr(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_network_comes_back_bit_by_bit_in_evaluation(network, folder, generator):
    loaded, spec = load_dsr(folder)
    assert not loaded.training
    assert loaded.settings == TINY
    assert loaded.variant == "edge"
    assert spec.licence == "CC0-1.0"
    assert spec.input_size == (8, 32)
    vlr = torch.rand(2, 3, 11, 11, generator=generator)
    with torch.no_grad():
        assert torch.equal(loaded(vlr), network.eval()(vlr))


def test_a_missing_or_changed_folder_is_one_line(folder, tmp_path):
    assert str(tmp_path / "no") in refusal(tmp_path / "no")
    (folder / WEIGHTS_NAME).write_bytes((folder / WEIGHTS_NAME).read_bytes()[:-4])
    assert "sha256" in refusal(folder)


def test_another_networks_folder_is_one_line(tmp_path):
    recogniser = EdgeFace("xxs")
    write_model(tmp_path / "model", recogniser, edgeface_spec(recogniser))
    assert "edgeface" in refusal(tmp_path / "model")


def test_options_of_no_dsr_are_one_line(folder):
    config = folder / CONFIG_NAME
    config.write_text(config.read_text().replace('"channels"', '"canals"', 1))
    refusal(folder)


def test_weights_of_another_size_are_one_line(network, tmp_path):
    wider = DSR("edge", TINY.model_copy(update={"channels": (12,)}))
    write_model(tmp_path / "model", network, dsr_spec(wider))
    refusal(tmp_path / "model")


@pytest.mark.parametrize(
    "change", [{"kind": "edgeface"}, {"variant": "huge"}, {"options": {}}, {"options": {"channels": "many"}}]
)
def test_a_spec_that_describes_no_dsr_is_refused(network, change):
    with pytest.raises(WeightsError, match="config of a DSR"):
        build_dsr(dsr_spec(network).model_copy(update=change))
