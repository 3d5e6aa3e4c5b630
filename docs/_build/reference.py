"""What the documentation takes from the code when it is built: every config key, every error with its remedy."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lrface.config import SCHEMAS
from lrface.cli.parameters.keys import Key, keys_of

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lrface"
ERRORS = {
    "ConfigError",
    "DataError",
    "WeightsError",
    "RegistryError",
    "TrainingError",
    "NonFiniteError",
    "EvaluationError",
}


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
        rows = [
            f"| `{named(key)}` | {_cell(key.kind)} | {_cell(key.default)} | {_cell(key.text)} |"
            for key in keys_of(schema)
        ]
        parts.append(
            "\n".join(
                [
                    f"## {job}",
                    "",
                    summary,
                    "",
                    "| key | type | default | what it is |",
                    "| --- | --- | --- | --- |",
                    *rows,
                ]
            )
        )
    return "\n\n".join(parts)


def named(key: Key) -> str:
    """The key, with the kind of group in brackets where there are several: `data.source [folder]`."""
    return f"{key.name} [{key.of}]" if key.of else key.name


def errors() -> str:
    """A table of the messages of each module, as its code raises them; what is filled in stands in braces."""
    parts = []
    for path in sorted(SOURCE.rglob("*.py")):
        rows = [
            f"| {_cell(what)} | {_cell(got)} | {_cell(wanted)} | {_cell(remedy)} |"
            for what, got, wanted, remedy in _raised(path)
        ]
        if rows:
            title = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            parts.append(
                "\n".join(
                    [f"## {title}", "", "| where | got | expected | remedy |", "| --- | --- | --- | --- |", *rows]
                )
            )
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
