"""Every key of a config with its type, range, default and meaning, as `--help` and the documentation show them."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


@dataclass(frozen=True)
class Key:
    """What can be said of a key.

    Attributes:
        name: Its name with those of its groups: `loss.l1`.
        kind: Type and range, or the choices.
        default: The default in this job.
        text: What it is, with its unit.
        of: The kind of group that it belongs to where there are several (`folder`), else nothing.
    """

    name: str
    kind: str
    default: str
    text: str
    of: str = ""


def keys_of(schema: type[BaseModel], prefix: str = "", start: BaseModel | None = None, of: str = "") -> Iterator[Key]:
    """All that can be set, group by group; of a group that may be one of several kinds, the keys of each.

    Args:
        schema: The schema.
        prefix: What stands in front of its keys.
        start: The group as the schema above it has it by default.
        of: The kind of group.
    """
    for name, field in schema.model_fields.items():
        default = getattr(start, name) if start is not None else field.get_default(call_default_factory=True)
        groups = list(dict.fromkeys(_groups(field.annotation)))
        if not groups:
            yield Key(f"{prefix}{name}", _kind(field), _default(default), field.description or "", of)
        for group in groups:
            kind = group.model_fields.get("kind")
            label = get_args(kind.annotation)[0] if kind is not None and len(groups) > 1 else of
            yield from keys_of(group, f"{prefix}{name}.", default if type(default) is group else None, label)


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups(inner)


def _kind(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(bound, attribute)}"
        for bound in field.metadata
        for attribute, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if getattr(bound, attribute, None) is not None
    ]
    return " ".join([_type(field.annotation), ", ".join(bounds)]).strip()


def _type(annotation: Any) -> str:  # noqa: ANN401 - any annotation
    """A type in words: `number`, `list of texts`, or the values that it may have."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(str(value) for value in inner)
    if origin in {Union, types.UnionType}:
        return " or ".join(_type(part) for part in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}s" if inner[0] in WORDS else f"list of: {_type(inner[0])}"
    if origin is dict:
        return "number by name"
    if hasattr(annotation, "__metadata__"):
        return _kind(FieldInfo.from_annotation(annotation))
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


WORDS: dict[object, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "none",
}


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "none"
    if value == "":
        return "empty"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
