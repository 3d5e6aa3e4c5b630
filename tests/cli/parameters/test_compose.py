import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.base.project import project_root
from lrface.cli.parameters import compose
from lrface.cli.parameters.compose import check_preset, config_folder, free_overrides, presets_of, settings_for
from lrface.cli.parameters.entry_points import COMMON, DATA, Parameter
from lrface.config import (
    SCHEMAS,
    EvaluateSettings,
    MainSettings,
    PrepareSettings,
    PretrainSettings,
)
from lrface.errors import ConfigError

PARAMETERS = (
    *COMMON,
    *DATA,
    Parameter("edgeface", "edgeface", "a recogniser"),
    Parameter("epochs", "loop.epochs", "epochs"),
    Parameter("batch_size", "loop.batch_size", "faces in a batch"),
)


def settle(job="finetune", overrides=None, **given):
    """The settings of a job; overrides as a user's text, or split."""
    if isinstance(overrides, str):
        given, overrides = {**given, "overrides": overrides}, None
    return settings_for(job, SCHEMAS[job], given, PARAMETERS, overrides)


def refusal(job="finetune", **given):
    with pytest.raises(ConfigError) as caught:
        settle(job, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


AWKWARD = [
    "/plain", "/with space/x", "/x [1]/(2)/{3}", "/it's", '/say "hi"', "'quoted'", "C:\\faces\\a", "ends\\", "\\'",
    "a,b", "a=b", "a:b", "#hash", "~/home", "null", "true", "1.5", "[1, 2]", "{a: 1}", "$HOME", "/${HOME}/x", "a${b",
    "ünï/ÇØ/脸", "%20", "!x", "@y", "*", "?", "a;b", "a|b", "a&b",
]  # fmt: skip


@pytest.mark.parametrize("path", AWKWARD)
def test_a_path_arrives_as_it_was_given(path):
    assert settle(data="folder", source=path).data.source == path


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12))
def test_any_printable_path_arrives_as_it_was_given(path):
    if path != "auto" and path.strip():
        assert settle(data="folder", source=path).data.source == path


def test_parameters_set_their_keys_with_their_types():
    made = settle(epochs="3", batch_size="8", device="cpu", seed="7", edgeface="weights.pt", out="/a b")
    assert (made.loop.epochs, made.loop.batch_size, made.device, made.seed) == (3, 8, "cpu", 7)
    assert (made.edgeface, made.out) == ("weights.pt", "/a b")


@pytest.mark.parametrize("value", ["", "auto"])
def test_auto_and_nothing_are_not_given(value):
    assert settle(**dict.fromkeys(["epochs", "batch_size", "device", "seed", "edgeface", "data"], value)) == settle()


def test_a_parameter_that_a_job_lacks_is_passed_over():
    assert settle("prepare", epochs="3") == PrepareSettings()


def test_without_anything_a_job_has_its_defaults():
    for job, schema in SCHEMAS.items():
        assert settle(job) == schema(), job


def test_one_key_of_a_group_keeps_the_jobs_own_defaults_of_the_others():
    made = settle("pretrain", epochs="3", overrides=["++margin.scale=20"])
    assert made.loop == PretrainSettings().loop.model_copy(update={"epochs": 3})
    assert made.margin == PretrainSettings().margin.model_copy(update={"scale": 20.0})
    assert made.margin.start == "random"


def test_kinds_of_data():
    assert settle().data.kind == "procedural"
    assert settle(data="folder", source="/faces").data.source == "/faces"
    assert settle(data="pack", source="/pack").data.kind == "pack"
    assert "procedural" in refusal(data="folders")
    assert refusal(data="folder") == ("config of finetune: got no data.source; expected a value for it; give source")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("loop.epoch=3", "unknown key loop.epoch (did you mean epochs?)"),
        ("optim.backbone_Ir=1", "unknown key optim.backbone_Ir (did you mean backbone_lr?)"),
        ("edgefase=x", "unknown key edgefase (did you mean edgeface?)"),
        ("data.faces.subject=3", "unknown key data.faces.subject of data=procedural (did you mean subjects?)"),
        ("optim.train.layer=all", "unknown key optim.train.layer (did you mean layers?)"),
        ("+zzz=1", "got unknown key zzz;"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(overrides, said):
    assert said in refusal(overrides=overrides)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": "many"}, "loop.epochs: Input should be a valid integer"),
        ({"epochs": "-1"}, "loop.epochs: Input should be greater than or equal to 0 (got '-1')"),
        ({"overrides": "optim.head_lr=nan"}, "optim.head_lr"),
        ({"overrides": "optim.train.layers=some"}, "optim.train.layers"),
        ({"overrides": "mix.sr=0 mix.bicubic=0 mix.hr=0"}, "mix: every share is 0"),
        ({"overrides": "loop.batch_size=[1,2]"}, "loop.batch_size"),
        ({"overrides": "loop=3"}, "loop: "),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(given, said):
    assert said in refusal(**given)


def test_every_problem_is_told_at_once():
    message = refusal(epochs="x", batch_size="1", overrides="seeed=1")
    assert all(part in message for part in ("loop.epochs", "loop.batch_size", "seeed (did you mean seed?)"))


def test_overrides_win_over_presets_and_parameters():
    made = settle(preset="smoke", epochs="5", overrides=free_overrides("loop.epochs=9"))
    assert made.loop.epochs == 9
    assert settle(preset="smoke", epochs="5").loop.epochs == 5
    assert settle(preset="smoke").loop.epochs == 2


def test_a_preset_brings_its_data_unless_other_data_are_named():
    assert settle(preset="smoke").data.faces.subjects == 14
    assert settle(preset="smoke", data="folder", source="/x").data.kind == "folder"


def test_an_unknown_preset_lists_those_there_are():
    message = refusal(preset="smok")
    assert "smoke" in message.split("expected")[1]


@pytest.mark.parametrize(
    ("job", "preset", "expected"),
    [
        ("finetune", "fast", "expected demo, drawn, many, real, smoke; choose one of these"),
        ("gallery", "demo", "expected none, since no preset changes anything in gallery; leave it out"),
        ("finetune", "fst", "expected demo, drawn, many, real, smoke"),
    ],
)
def test_a_preset_that_changes_nothing_in_a_job_is_refused(job, preset, expected):
    """`finetune preset=fast` once trained as without one, and said nothing."""
    with pytest.raises(ConfigError, match=f"preset: got {preset}; {expected}"):
        check_preset(job, {"preset": preset})
    for fine in ("", "auto", *presets_of(job)):
        check_preset(job, {"preset": fine})
    check_preset("main", {"preset": "fast"})


@pytest.mark.parametrize("job", sorted(SCHEMAS))
def test_every_preset_composes_for_every_job(job):
    names = {path.stem for path in (config_folder() / "preset").glob("*/*.yaml")}
    assert names
    for name in names:
        data = config_folder() / "preset" / "data" / f"{name}.yaml"
        given = {"source": "/faces"} if data.is_file() and "folder" in data.read_text() else {}
        assert isinstance(settle(job, preset=name, **given), SCHEMAS[job]), name


def test_free_overrides_hold_spaces_quotes_and_brackets():
    made = settle(
        "evaluate",
        overrides=free_overrides(
            "sizes=[8, 16]  edgeface='/a b/[1]' dsr=\"it's\" 'degradations=[clean, noisy]' protocol.seed=3\tseed=5"
        ),
    )
    assert made.sizes == (8, 16)
    assert made.edgeface == ("/a b/[1]",)
    assert made.dsr == ("it's",)
    assert made.degradations == ("clean", "noisy")
    assert made.seed == 5


def test_free_overrides_may_choose_a_group_and_delete():
    assert free_overrides("data=folder data.source=/x ~tracking +new=1 ++old=2") == [
        "data=folder", "++data.source=/x", "~tracking", "+new=1", "++old=2",
    ]  # fmt: skip
    assert free_overrides("  ") == []
    assert free_overrides(r"out=/a\ b") == [r"++out=/a\ b"]


def test_a_whole_override_in_quotes_is_unquoted_as_a_shell_would():
    assert free_overrides(r""" "out='a \"b\" [c'" 'seed=3' """) == ["++out='a \"b\" [c'", "++seed=3"]
    assert settle(overrides=r""" "out='it\\'s {x'" """).out == "it's {x"


def test_mappings_and_escaped_spaces_arrive():
    made = settle(overrides=free_overrides(r"mix={sr: 1, hr: 2} out=/a\ b"))
    assert (made.mix.sr, made.mix.bicubic, made.mix.hr) == (1, 0.25, 2)
    assert made.out == "/a b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed='3", "close the quote"),
        ("sizes=[8", "close the bracket"),
        ("loop.epochs", "got 'loop.epochs'; expected key=value"),
        ("loop.epochs = 3", "got 'loop.epochs'"),
        ("sizes=8]", "config of finetune"),
        ("device=cpu,cuda", "got 'device=cpu,cuda', a comma outside quotes and brackets"),
        ("optim.lr=0,001", "a point in a number"),
        ("seed=3,device=cpu", "a space between overrides"),
        ("--seed=3", "got '--seed=3'; expected key=value; write seed=3"),
        ("out=${nowhere}", "nowhere"),
        ("preset=smoke", "preset"),
        ("data=1", "config of finetune: got "),
        ("data=null", "config of finetune: got "),
        ("seed=" + "1" * 5000, "config of finetune: got Exceeds the limit"),
        ("k" * 5000 + "=1", "config of finetune: got "),
    ],
)
def test_an_override_that_is_none_is_one_line(text, said):
    assert said in refusal(overrides=text)


def test_a_list_by_commas_and_none():
    assert settle("evaluate", edgeface="a.pt,b.pt").edgeface == ("a.pt", "b.pt")
    assert EvaluateSettings(dsr="none").dsr == ()


def test_a_second_cycle_is_refused_unless_it_is_allowed():
    assert "allow_second_cycle=true" in refusal("main", overrides="cycles=2")
    assert settle("main", overrides=["++cycles=2", "++allow_second_cycle=true"]).cycles == 2
    assert MainSettings().cycles == 1


def test_folders_are_those_of_the_project(tmp_path, monkeypatch):
    tree = Path(compose.__file__).parents[4]
    assert config_folder() == tree / "conf"
    monkeypatch.chdir(tmp_path)
    assert project_root() == tree
    (tmp_path / "MLproject").touch()
    assert project_root() == tmp_path


def test_composing_leaves_hydra_ready_for_the_next_job():
    assert settle(epochs="1").loop.epochs == 1
    assert re.match("config of", refusal(epochs="x"))
    assert settle(epochs="2").loop.epochs == 2


@pytest.mark.parametrize("kind", ["folder", "list", "celeba"])
def test_a_preset_for_pictures_says_how_any_kind_of_pictures_is_split(kind):
    """`data=folder` beside the preset once brought back the splits of no preset: other test people, and no word."""
    alone = settle("finetune", preset="many", source="/x").data.splits
    assert (alone.val_subjects, alone.test_subjects) == (24, 24)
    assert settle("finetune", preset="many", data=kind, source="/x").data.splits == alone
    assert settle("finetune", preset="many", data="pack", source="/x").data.kind == "pack"
    assert settle("finetune", preset="many", data="procedural").data.splits != alone


def test_a_source_without_its_kind_and_a_key_of_a_stage_are_told_how():
    with pytest.raises(ConfigError, match="say data=folder"):
        settle("finetune", preset="smoke", source="/x")
    with pytest.raises(ConfigError, match=r"the name in front|its name in front: finetune\.tuned_share"):
        settle("main", preset="smoke", overrides=free_overrides("tuned_share=0.5"))
