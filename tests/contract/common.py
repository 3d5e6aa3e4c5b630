"""What the files of the contract share: one contract for everything that is registered.

Each thing is found where it is registered, so that a new one is tested by being there. Settings are frozen, closed and
explained; what is wrong is one line with got, expected and remedy; tensors come out where they came in; the same seed
gives the same bits and another seed others; inputs are left as they were.
"""

import re
from pathlib import Path
from typing import get_args

import torch
from pydantic import BaseModel

from lrface.errors import LrfaceError

ROOT = Path(__file__).parents[2]
SOURCES = {path: path.read_text() for path in (ROOT / "src").rglob("*.py")}
DOCS = "\n".join(path.read_text() for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md"))
ELSEWHERE = torch.device("meta")
"""A device that no test has in reality: nothing of the CPU's can be mixed in, and nothing be read back."""


def one_line(caught, *words):
    """The error is what a person can mend: one line that says what was got, what was expected, what to do."""
    error = caught.value if hasattr(caught, "value") else caught
    assert isinstance(error, LrfaceError)
    text = str(error)
    assert "\n" not in text
    assert all(part.strip() for part in (error.what, error.got, error.expected, error.remedy))
    for word in words:
        assert word in text, text


def faces(count, seed=1):
    return torch.rand(count, 3, 112, 112, generator=torch.Generator().manual_seed(seed))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def groups_of(annotation):
    """The groups of settings that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from groups_of(inner)


def wrong_values(key):
    """A value that a key cannot have, from its type and range as help shows them; none where it takes any text."""
    if key.kind.startswith(("number", "whole number", "list of numbers", "list of whole numbers")):
        yield "nonsense"
        for sign, bound in re.findall(r"([<>≤≥]) (-?[\d.e+-]+)", key.kind):
            yield float(bound) - 1 if sign in ">≥" else float(bound) + 1
    elif key.kind == "true or false":
        yield "perhaps"
    elif not re.search(r"\btexts?\b|by name|number", key.kind) and not key.name.endswith("kind"):
        yield "nonsense"
