"""What the documentation takes from the code."""

import importlib.util
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from lrface.cli.parameters.keys import keys_of
from lrface.config import SCHEMAS
from lrface.errors import LrfaceError
from lrface.training.loop import findings

ROOT = Path(__file__).parents[1]
FILES = {".onnx", ".txt", ".csv", ".json"}


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "_build" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _set_keys(value, prefix=""):
    """Keys of an instance, found without the reference's own walk."""
    for name in type(value).model_fields:
        inner = getattr(value, name)
        if isinstance(inner, BaseModel):
            yield from _set_keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("job", SCHEMAS)
def test_every_key_stands_in_the_reference_with_words(job):
    rows = {key.name: key.text for key in keys_of(SCHEMAS[job])}
    groups = [field.get_default(call_default_factory=True) for field in SCHEMAS[job].model_fields.values()]
    for name, group in zip(SCHEMAS[job].model_fields, groups, strict=True):
        wanted = set(_set_keys(group, f"{name}.")) if isinstance(group, BaseModel) else set()
        assert wanted <= set(rows)
    assert set(SCHEMAS[job].model_fields) <= {key.partition(".")[0] for key in rows}
    assert not [key for key, text in rows.items() if not text and not key.endswith(".kind")]


def test_defaults_are_those_of_the_job_and_not_of_the_group():
    rows = {key.name: key.default for key in keys_of(SCHEMAS["train_dsr"])}
    assert rows["loop.epochs"] == "100"
    assert rows["loop.batch_size"] == "16"


def test_every_named_error_is_gathered(reference):
    kinds = {LrfaceError.__name__} | {kind.__name__ for kind in _below(LrfaceError)}
    assert kinds - {"LrfaceError"} >= reference.ERRORS
    assert "choose one of these" in reference.errors()


def _below(kind):
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def test_every_finding_is_explained():
    named = set(re.findall(r'Finding\(\s*"(\w+)"', (ROOT / "src/lrface/training/loop/findings.py").read_text()))
    page = (ROOT / "docs" / "training.md").read_text()
    assert named >= {"identity_stuck", "psnr_falling", "no_progress"}
    assert {name for name in named if f"`{name}`" not in page and f"`stop_{name}`" not in page} == set()
    assert findings.__doc__


def test_every_key_that_the_documentation_names_exists():
    """A word in backticks with dots in it that starts as a key of some job does, is one, or a group of them."""
    keys = {key.name for schema in SCHEMAS.values() for key in keys_of(schema)}
    keys |= {".".join(key.split(".")[:depth]) for key in keys for depth in range(2, key.count(".") + 1)}
    first = {key.partition(".")[0] for key in keys if "." in key}
    strange = {
        (page.name, word)
        for page in sorted((ROOT / "docs").glob("*.md"))
        for word in re.findall(r"`([a-z_]+(?:\.[a-z_0-9]+)+)(?:=[^`]*)?`", page.read_text())
        if word.partition(".")[0] in first and word not in keys and Path(word).suffix not in FILES
    }

    assert strange == set()
