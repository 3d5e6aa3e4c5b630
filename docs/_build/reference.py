"""What the documentation takes from the code when it is built: every config key, every error with its remedy."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lrface.config import SCHEMAS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lrface"
ERRORS = {"ConfigError", "DataError", "WeightsError", "RegistryError", "TrainingError", "NonFiniteError", "EvaluationError"}


def on_page_markdown(markdown: str, **_: object) -> str:
    """MkDocs calls this for each page."""
    if "<!-- configuration -->" in markdown:
        markdown = markdown.replace("<!-- configuration -->", configuration())
    if "<!-- errors -->" in markdown:
        markdown = markdown.replace("<!-- errors -->", errors())
    return markdown


def configuration() -> str:
    """A table of the keys of each job, in the order of the schema."""
    parts = []
    for job, schema in SCHEMAS.items():
        summary = _cell((schema.__doc__ or "").strip().splitlines()[0])
        rows = [f"| `{key}` | {_cell(kind)} | {_cell(default)} | {_cell(text)} |" for key, kind, default, text in keys(schema)]
        parts.append("\n".join([f"## {job}", "", summary, "", "| key | type | default | what it is |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def keys(schema: type[BaseModel], prefix: str = "", start: BaseModel | None = None) -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and description of all that can be set; groups are walked into.

    A group that may be one of several kinds gives the keys of each, with the kind in brackets.
    """
    for name, field in schema.model_fields.items():
        default = getattr(start, name) if start is not None else field.get_default(call_default_factory=True)
        groups = _groups(field)
        if not groups:
            yield f"{prefix}{name}", _kind(field), _default(default), field.description or ""
            continue
        for group in groups:
            of_kind = group.model_fields.get("kind")
            label = f" [{get_args(of_kind.annotation)[0]}]" if of_kind is not None and len(groups) > 1 else ""
            given = default if type(default) is group else None
            for key, kind, value, text in keys(group, f"{prefix}{name}.", given):
                yield f"{key}{label}", kind, value, text


def _groups(field: FieldInfo) -> list[type[BaseModel]]:
    def walk(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        for inner in get_args(annotation):
            yield from walk(inner)

    return list(dict.fromkeys(walk(field.annotation)))


def _kind(field: FieldInfo) -> str:
    annotation = field.annotation
    choices = [value for value in get_args(annotation) if isinstance(value, str)]
    if choices:
        return ", ".join(choices)
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    bounds = [
        f"{sign} {getattr(bound, attribute)}"
        for bound in field.metadata
        for attribute, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if getattr(bound, attribute, None) is not None
    ]
    plain = name.replace("typing.", "").replace("typing_extensions.", "")
    if "Annotated" in plain or "Literal" in plain:
        plain = "list" if plain.startswith("tuple") else "value"
    return " ".join([plain, ", ".join(bounds)]).strip()


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def errors() -> str:
    """A table of the messages of each module, as its code raises them; what is filled in stands in braces."""
    parts = []
    for path in sorted(SOURCE.rglob("*.py")):
        rows = [f"| {_cell(what)} | {_cell(got)} | {_cell(wanted)} | {_cell(remedy)} |" for what, got, wanted, remedy in _raised(path)]
        if rows:
            title = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            parts.append("\n".join([f"## {title}", "", "| where | got | expected | remedy |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def _raised(path: Path) -> Iterator[tuple[str, str, str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ERRORS or not node.args:
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if {"got", "expected", "remedy"} <= set(given):
            yield tuple(_words(value) for value in (node.args[0], given["got"], given["expected"], given["remedy"]))  # type: ignore[misc]


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    return "{" + ast.unparse(node) + "}"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
