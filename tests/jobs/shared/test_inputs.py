"""What tells one piece of work from another: the contents of weights, not their names."""

import torch

from lrface.cli.context import Context
from lrface.cli.terminal.terminal import Terminal
from lrface.config import FinetuneSettings, TrainDsrSettings
from lrface.data.settings import ProceduralData
from lrface.jobs.shared.inputs import inputs_of, weights_digest


def test_other_weights_under_the_same_name_are_other_inputs(tmp_path):
    context = Context(tmp_path, None, Terminal(), torch.device("cpu"), {})
    file, folder = tmp_path / "a.pt", tmp_path / "model"
    folder.mkdir()
    for place in (file, folder / "model.safetensors"):
        place.write_bytes(b"one")
    before = [weights_digest(str(place), context) for place in (file, folder)]
    assert [weights_digest(str(place), context) for place in (file, folder)] == before
    for place in (file, folder / "model.safetensors"):
        place.write_bytes(b"two")
    assert not set(before) & {weights_digest(str(place), context) for place in (file, folder)}
    assert weights_digest("none", context) != weights_digest("edgeface_xxs", context) == "edgeface_xxs"


def test_all_networks_of_a_training_count(tmp_path):
    context = Context(tmp_path, None, Terminal(), torch.device("cpu"), {})
    found = []
    for changed in ("", "edgeface", "start", "other"):
        for name in ("edgeface", "start", "other"):
            (tmp_path / name).write_bytes(f"{name} {changed == name}".encode())
        settings = TrainDsrSettings(
            data=ProceduralData(),
            edgeface=str(tmp_path / "edgeface"),
            start=str(tmp_path / "start"),
            supervisors=(str(tmp_path / "other"),),
        )
        found.append(tuple(inputs_of(settings, context).items()))
    assert len(set(found)) == 4


def test_whoever_teaches_a_fine_tuning_counts(tmp_path):
    context = Context(tmp_path, None, Terminal(), torch.device("cpu"), {})
    found = []
    plain = FinetuneSettings(data=ProceduralData(), edgeface="edgeface_xxs", dsr="none")
    for changed in ("", "teacher", "back_to"):
        for name in ("teacher", "back_to"):
            (tmp_path / name).write_bytes(f"{name} {changed == name}".encode())
        named = {name: str(tmp_path / name) for name in ("teacher", "back_to")}
        found.append(tuple(inputs_of(plain.model_copy(update=named), context).items()))
    assert len(set(found)) == 3
    assert not {"teacher", "back_to"} & set(inputs_of(plain, context))
