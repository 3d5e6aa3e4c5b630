"""Every group of settings, and every key of every job."""

import importlib
import re
from typing import get_args

import pytest
from pydantic import ValidationError

from lrface.base.settings import Settings
from lrface.cli.parameters.compose import validated
from lrface.cli.parameters.keys import keys_of
from lrface.config import SCHEMAS
from lrface.errors import ConfigError

from .common import ROOT, SOURCES, groups_of, one_line, wrong_values


def _places(schema, place=()):
    """Each group of a schema, with the keys that lead to it."""
    yield place, schema
    for name, field in schema.model_fields.items():
        for group in groups_of(field.annotation):
            yield from _places(group, (*place, name))


def _registered():
    """Every group of settings in the package: those of the jobs, with the shortest way to each, and all others."""
    found = {}
    for job, schema in SCHEMAS.items():
        for place, group in _places(schema):
            found.setdefault(group, (job, place))
    for path in SOURCES:
        if "(Settings)" in SOURCES[path]:
            module = importlib.import_module(".".join(path.relative_to(ROOT / "src").with_suffix("").parts))
            for one in vars(module).values():
                if isinstance(one, type) and issubclass(one, Settings) and one.__module__ == module.__name__:
                    found.setdefault(one, None)
    return dict(sorted(found.items(), key=lambda pair: pair[0].__qualname__))


GROUPS = _registered()
IN_JOBS = {group: place for group, place in GROUPS.items() if place is not None}
by_name = {"ids": lambda one: getattr(one, "__name__", None)}


def _required(group):
    """A value for every key that has no default."""
    needed = {name: field for name, field in group.model_fields.items() if field.is_required()}
    plain = {str: "somewhere", int: 8, float: 1.0, tuple: (8,)}
    values = {}
    for name, field in needed.items():
        kind = next(
            (kind for kind in plain if kind in (field.annotation, getattr(field.annotation, "__origin__", 0))), None
        )
        if kind is not None:
            values[name] = plain[kind]
    return values


@pytest.mark.parametrize("group", GROUPS, **by_name)
def test_settings_are_frozen_closed_and_documented(group):
    assert group.__doc__
    assert group.model_config["frozen"]
    assert group.model_config["extra"] == "forbid"
    assert not group.model_config["allow_inf_nan"]
    with pytest.raises(ValidationError, match=r"unknown_key[\s\S]*Extra inputs are not permitted"):
        group(**_required(group), unknown_key=1)


@pytest.mark.parametrize("group", IN_JOBS, **by_name)
def test_an_unknown_key_is_one_line_that_names_it(group):
    job, place = IN_JOBS[group]
    values = {"unknown_key": 1} | _required(group)
    if "kind" in group.model_fields and place[:1] == ("data",):
        values["kind"] = get_args(group.model_fields["kind"].annotation)[0]
    shown = ".".join(place)
    for name in reversed(place):
        values = {name: values}
    if place[:1] == ("data",) and len(place) > 1:
        kinds = {one: own for own, one in ((get_args(g.model_fields["kind"].annotation)[0], g) for g in _kinds())}
        owner = next(one for one in _kinds() if place[1] in one.model_fields)
        values["data"] |= {"kind": kinds[owner], **_required(owner)}

    with pytest.raises(ConfigError) as caught:
        validated(job, SCHEMAS[job], values)

    one_line(caught, f"config of {job}", f"unknown key {shown}{'.' if shown else ''}unknown_key")


def _kinds():
    return list(groups_of(SCHEMAS["prepare"].model_fields["data"].annotation))


UNITS = {
    r"(^|_)(side|size|pixels|shift)(_|$)": r"pixel|times the|faces in a batch",
    r"(^|_)(seconds|wait)(_|$)": r"second|\[s\]",
    r"(^|_)minutes(_|$)": "minute",
    r"(^|_)(rotation|yaw|angle)(_|$)": "degree",
    r"(^|_)gb(_|$)": "bytes",
}


@pytest.mark.parametrize("job", SCHEMAS)
def test_every_key_has_words_a_default_and_where_it_needs_one_a_unit(job):
    schema = SCHEMAS[job]
    for key in keys_of(schema):
        if key.name.endswith(".kind"):
            continue
        assert key.text, key.name
        assert "\n" not in key.text, key.name
        assert key.default, f"{key.name} does not say its default"
        last = key.name.rpartition(".")[2]
        for word, unit in UNITS.items():
            if re.search(word, last) and "number" in key.kind:
                assert re.search(unit, key.text), f"{key.name} ({key.text}) says no unit"


@pytest.mark.parametrize("job", SCHEMAS)
def test_a_wrong_value_of_a_key_is_one_line_that_names_it(job):
    tried = 0
    for key in keys_of(SCHEMAS[job]):
        for wrong in wrong_values(key):
            values = wrong if not key.kind.startswith("list") or isinstance(wrong, str) else (wrong,)
            for name in reversed(key.name.split(".")):
                values = {name: values}
            if key.name.startswith("data."):
                owner = next(kind for kind in _kinds() if _has(kind, key.name.split(".")[1:]))
                kind = key.of or get_args(owner.model_fields["kind"].annotation)[0]
                values["data"] = _required(owner) | values["data"] | {"kind": kind}
            with pytest.raises(ConfigError) as caught:
                validated(job, SCHEMAS[job], values)
            one_line(caught, f"config of {job}", key.name.rpartition(".")[2])
            tried += 1
    assert tried > 5


def _has(group, names):
    if names[0] not in group.model_fields:
        return False
    inner = list(groups_of(group.model_fields[names[0]].annotation))
    return len(names) == 1 or any(_has(one, names[1:]) for one in inner)


@pytest.mark.parametrize("group", IN_JOBS, **by_name)
def test_every_key_is_read(group):
    """As an attribute or by its name, in code that is not its own definition."""
    for name in group.model_fields:
        read = re.compile(rf"\.{name}\b|[\"'][\w.]*\b{name}[\"']")
        assert any(read.search(text) for text in SOURCES.values()), f"nothing reads {group.__name__}.{name}"
