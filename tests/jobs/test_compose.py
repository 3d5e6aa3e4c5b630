"""From parameters, presets and overrides to one checked config."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.config import SCHEMAS, MainSettings, PretrainSettings, TrainDsrSettings
from lrface.data.settings import FolderData
from lrface.errors import ConfigError
from lrface.jobs.compose import COMMON, DATA, Parameter, config_folder, free_overrides, settings_for

EPOCHS = Parameter("epochs", "loop.epochs", "epochs")


def compose(job, overrides="", **given_values):
    schema = SCHEMAS[job]
    return settings_for(job, schema, {**given_values, "overrides": overrides}, (*COMMON, *DATA, EPOCHS))


@pytest.mark.parametrize("job", SCHEMAS)
def test_with_nothing_given_the_schema_speaks(job):
    assert compose(job) == SCHEMAS[job]()


def test_one_key_of_a_group_leaves_the_jobs_own_defaults_of_the_others():
    own = PretrainSettings().optim

    found = compose("pretrain", "optim.clip=1.5").optim

    assert found == own.model_copy(update={"clip": 1.5})
    assert own.backbone_lr != type(own)().backbone_lr


def test_a_parameter_needs_no_preset():
    assert compose("train_dsr", epochs="7").loop == TrainDsrSettings().loop.model_copy(update={"epochs": 7})


def test_a_parameter_beats_the_preset_and_an_override_beats_both():
    assert compose("train_dsr", preset="smoke").loop.epochs == 2
    assert compose("train_dsr", preset="smoke", epochs="3").loop.epochs == 3
    assert compose("train_dsr", "loop.epochs=4", preset="smoke", epochs="3").loop.epochs == 4


def test_auto_and_empty_are_not_given():
    assert compose("train_dsr", epochs="auto", device="", seed="auto", data="auto") == TrainDsrSettings()


def test_a_source_may_hold_any_sign():
    path = "/data/our people/it's [2024] {new} $HOME, a=b"

    assert compose("prepare", data="folder", source=path).data == FolderData(source=path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("   a=1    b=2 ", ["++a=1", "++b=2"]),
        ("sizes=[8, 16] a=1", ["++sizes=[8, 16]", "++a=1"]),
        ("a={b: 1, c: [2, 3]}", ["++a={b: 1, c: [2, 3]}"]),
        ("a='x y' b=2", ["++a='x y'", "++b=2"]),
        ("\"a='x y'\" b=2", ["++a='x y'", "++b=2"]),
        (r"a='it\'s [here' b=2", [r"++a='it\'s [here'", "++b=2"]),
        ("+a=1 ~b", ["+a=1", "~b"]),
        ("data=folder", ["data=folder"]),
    ],
)
def test_overrides_are_split_at_spaces_outside_of_quotes_and_brackets(text, parts):
    assert free_overrides(text) == parts


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_any_text_survives_in_quotes(text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    (kept, other) = free_overrides(f"a='{quoted}' b=1")

    assert (kept, other) == (f"++a='{quoted}'", "++b=1")


@pytest.mark.parametrize("text", ["word", "a='x", 'a=1 b="y', "=1 word"])
def test_what_is_no_override_is_refused(text):
    with pytest.raises(ConfigError, match="overrides"):
        free_overrides(text)


def test_every_fault_is_named_at_once():
    with pytest.raises(ConfigError) as error:
        compose("train_dsr", "loop.epochs=-1 optim.lrr=1 seed=x")

    assert all(part in str(error.value) for part in ("loop.epochs", "optim.lrr", "seed"))
    assert "\n" not in str(error.value)


def _data_of(preset):
    file = config_folder() / "preset" / "data" / f"{preset}.yaml"
    return file.read_text() if file.is_file() else ""


@pytest.mark.parametrize("preset", sorted({path.stem for path in (config_folder() / "preset").glob("*/*.yaml")}))
@pytest.mark.parametrize("job", SCHEMAS)
def test_every_preset_composes_for_every_job(job, preset):
    needed = {"source": "/our/faces"} if "folder" in _data_of(preset) and "data" in SCHEMAS[job].model_fields else {}

    found = compose(job, preset=preset, **needed)

    assert isinstance(found, SCHEMAS[job])


def test_a_second_cycle_has_to_be_asked_for():
    with pytest.raises(ConfigError, match="allow_second_cycle=true"):
        compose("main", "cycles=2")
    assert compose("main", "cycles=2 allow_second_cycle=true") == MainSettings(cycles=2, allow_second_cycle=True)
