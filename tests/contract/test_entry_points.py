"""Every entry point, its parameters, the engines and the errors."""

import importlib
import inspect
import re
import sys
from typing import get_args, get_type_hints

import pytest

from lrface import errors
from lrface.cli.command import command
from lrface.cli.parameters.compose import settings_for
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.cli.parameters.keys import keys_of
from lrface.config import SCHEMAS
from lrface.engines.engine import Engine
from lrface.engines.settings import ClusterSettings
from lrface.engines.spread import engine_of
from lrface.errors import ConfigError, LrfaceError

from .common import DOCS, ROOT, SOURCES, one_line, wrong_values


@pytest.mark.parametrize("job", SCHEMAS)
def test_an_entry_point_is_there_with_words_and_composes(job):
    work = importlib.import_module(f"lrface.jobs.{job}")
    assert work.__doc__.startswith(f"`{job}`: ")
    assert SCHEMAS[job].__doc__.startswith(f"`{job}`: ")
    assert work.run.__doc__
    assert list(inspect.signature(work.run).parameters)[:2] == ["settings", "context"]
    assert get_type_hints(work.run)["settings"] is SCHEMAS[job]
    assert f"`{job}`" in (ROOT / "docs" / "commands.md").read_text()
    assert isinstance(settings_for(job, SCHEMAS[job], {}, (*COMMON, *PARAMETERS[job])), SCHEMAS[job])


@pytest.mark.parametrize("job", SCHEMAS)
def test_a_wrong_parameter_of_an_entry_point_is_one_line(job, capsys, monkeypatch):
    """Before anything starts: what would do the work is not there."""
    monkeypatch.delenv("LRFACE_TRACEBACK", raising=False)
    keys = {key.name: key for key in keys_of(SCHEMAS[job]) if not key.of}
    parameters = (*COMMON, *PARAMETERS[job])
    wrong = [("colour", "red")]
    wrong += [(one.name, value) for one in parameters if one.key in keys for value in wrong_values(keys[one.key])]
    wrong += [(one.name, "nonsense") for one in parameters if one.name in {"preset", "data", "log"}]
    for name, value in wrong:
        code = command(job, [f"--{name}", str(value)])
        shown = capsys.readouterr().err.strip().splitlines()
        assert code == 1, (name, value)
        assert len(shown) == 1, shown
        assert re.match(r"error: .*got .*; expected .*; .+", shown[0]), shown[0]


@pytest.mark.parametrize(
    "name", [name for name in get_args(ClusterSettings.model_fields["engine"].annotation) if name != "none"]
)
def test_an_engine_is_one(name, monkeypatch):
    module = importlib.import_module(f"lrface.engines.on_{name}")
    (engine,) = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    for method in ("submit", "result", "first", "close"):
        assert list(inspect.signature(getattr(engine, method)).parameters) == list(
            inspect.signature(getattr(Engine, method)).parameters
        )
    assert engine.__doc__
    assert name in DOCS.lower()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught, engine_of(ClusterSettings(engine=name)):
        pass
    one_line(caught, name, "pip install")


def _errors():
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LrfaceError)]


@pytest.mark.parametrize("kind", _errors(), ids=lambda kind: kind.__name__)
def test_an_error_is_one_line_in_words(kind):
    one_line(kind("what", got="this", expected="that", remedy="do so"), "got this; expected that; do so")
    assert kind.__doc__
    assert kind is LrfaceError or any(
        f"{kind.__name__}(" in text for path, text in SOURCES.items() if path.name != "errors.py"
    )
