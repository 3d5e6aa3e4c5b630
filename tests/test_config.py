import importlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from lrface.cli.parameters.entry_points import PARAMETERS
from lrface.config import SCHEMAS, FinetuneSettings, MainSettings, TrainDsrSettings


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_defaults_are_valid_and_survive_being_written_down(schema):
    made = schema()
    assert schema.model_validate(made.model_dump(mode="json")) == made


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        MainSettings().cycles = 3


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_endless_numbers_are_refused(schema):
    with pytest.raises(ValidationError):
        schema(seed=float("inf"))


@pytest.mark.parametrize("job", SCHEMAS)
def test_a_job_has_one_name_everywhere(job):
    assert (Path(__file__).parents[1] / "conf" / f"{job}.yaml").is_file()
    assert job in PARAMETERS
    assert callable(importlib.import_module(f"lrface.jobs.{job}").run)


def test_the_defaults_that_the_users_documents_fix():
    tune, dsr = FinetuneSettings(), TrainDsrSettings()
    assert (tune.head.epochs, tune.head.lr) == (5, 1e-4)
    assert (tune.loop.epochs, tune.loop.batch_size) == (25, 32)
    assert (tune.optim.backbone_lr, tune.optim.head_lr, tune.optim.clip) == (3e-6, 3e-5, 1.0)
    assert (tune.margin.kind, tune.margin.scale, tune.margin.margin) == ("arcface", 32.0, 0.3)
    assert (dsr.loop.epochs, dsr.loop.batch_size, dsr.loop.warmup_epochs, dsr.loop.patience) == (100, 16, 5, 20)
    assert dsr.optim.lr == 1.5e-4
    assert dsr.optim.select == "psnr"
    loss = dsr.loss
    assert (loss.l1, loss.perceptual, loss.identity, loss.feature, loss.tv) == (1.0, 0.02, 0.50, 0.15, 3e-6)
    assert loss.perceptual_network.layers == {"relu1_2": 0.4, "relu2_2": 0.3, "relu3_4": 0.2, "relu4_4": 0.1}
