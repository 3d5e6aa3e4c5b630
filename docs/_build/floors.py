"""The picture of the house in `docs/architecture.md`, drawn from the tree: `python docs/_build/floors.py` renews it."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "lrface"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- floors: python docs/_build/floors.py -->\n", "<!-- end of the floors -->\n"
WIDTH = 26


def layers() -> list[list[str]]:
    """Rooms from the top down as import-linter holds them; those of one layer side by side."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (found,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [[room.removeprefix("lrface.") for room in layer.split(" | ")] for layer in found]


def doors(folder: Path) -> list[Path]:
    """What a person sees in a folder of the package: modules and folders, without the file that makes it one."""
    inside = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return sorted(path for path in inside if path.name != "__init__.py")


def said(path: Path) -> str:
    """The first line of a module or of a folder."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]


def floors() -> str:
    """Every room and its floors, a line each."""
    lines = []
    for number, layer in enumerate(layers()):
        lines += [""] if number else []
        for room in layer:
            lines += _lines(SOURCE / room, 0)
    return "\n".join(["    " + line if line else "" for line in lines]) + "\n"


def _lines(path: Path, depth: int) -> list[str]:
    name = "  " * depth + path.stem + ("/" if path.is_dir() else "")
    below = [line for door in doors(path) if door.is_dir() for line in _lines(door, depth + 1)] if path.is_dir() else []
    return [f"{name:<{WIDTH}}{said(path)}", *below]


def page(text: str) -> str:
    """A page with the picture as the tree is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{floors()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
