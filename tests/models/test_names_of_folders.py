"""Whatever the folder of a network is called, what is read there was written there."""

import string

import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from lrface.models.store import ModelSpec, read_model, write_model

signs = string.ascii_letters + "=%#?&+ '\"(),[]{};:@!$~*|<>`^-äß漢"
names = st.text(signs, min_size=1, max_size=12).map(str.strip).filter(lambda name: name.strip("."))
SPEC = ModelSpec(kind="dsr", variant="small", options={"width": 3}, input_size=(8, 32), output_size=112)


@given(names)
@example("lr=0.1")
@example("my%20weights")
@example("what?")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weights_in_a_folder_of_any_name(tmp_path, name):
    network = nn.Linear(3, 2)
    write_model(tmp_path / name, network, SPEC)
    found, spec = read_model(tmp_path / name, {"dsr": lambda spec: nn.Linear(spec.options["width"], 2)})
    assert spec.variant == "small"
    assert torch.equal(found.weight, network.weight)
