"""The house as its documentation draws it, and how many doors a person meets behind each."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from lrface.cli.parameters.entry_points import PARAMETERS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lrface"
DOORS = 14
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")} - {ROOT / "CHANGELOG.md"})


def builder(name):
    """A script that writes a part of the documentation."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_build" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def house():
    return builder("floors")


def test_the_picture_is_that_of_the_tree(house):
    text = house.PAGE.read_text()

    assert house.page(text) == text, "python docs/_build/floors.py renews it"
    assert text.count(house.BEGIN) == text.count(house.END) == 1


def test_the_picture_follows_a_new_floor(house, tmp_path, monkeypatch):
    (tmp_path / "base" / "attic").mkdir(parents=True)
    (tmp_path / "base" / "__init__.py").write_text('"""Ground."""')
    (tmp_path / "base" / "attic" / "__init__.py").write_text('"""What nobody wants."""')
    monkeypatch.setattr(house, "SOURCE", tmp_path)
    monkeypatch.setattr(house, "layers", lambda: [["base"]])

    assert re.sub(" +", " ", house.floors()) == " base/ Ground.\n attic/ What nobody wants.\n"


def test_every_room_stands_on_a_layer(house):
    named = {room for layer in house.layers() for room in layer}

    assert named == {door.stem for door in house.doors(SOURCE)} - {"__main__"}


def test_a_dozen_doors_are_behind_each(house):
    folders = [SOURCE, *(path.parent for path in SOURCE.rglob("__init__.py"))]
    many = {str(folder.relative_to(SOURCE)): len(house.doors(folder)) for folder in folders}

    # the hall shows the rooms, and `jobs` a door for each command
    assert many.pop(".") <= DOORS + 3
    assert many.pop("jobs") <= len(PARAMETERS) + 3
    assert {folder: count for folder, count in many.items() if count > DOORS} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_of_the_package_that_a_page_names_are_there(page):
    rooms = "|".join(path.name for path in SOURCE.iterdir() if path.is_dir())
    named = set(re.findall(rf"`((?:{rooms}|src|tests|benchmarks|docs)/[\w/]+\.(?:py|ipynb))`", page.read_text()))

    assert [name for name in sorted(named) if not any((place / name).is_file() for place in (ROOT, SOURCE))] == []


def test_the_pages_of_the_networks_give_their_sizes():
    networks = builder("networks")

    for name, rows in networks.rows().items():
        page = (ROOT / "docs" / f"{name}.md").read_text()
        table = page.partition(networks.BEGIN)[2].partition(networks.END)[0]
        assert [line.count("|") for line in table.splitlines() if line.startswith("| `")] == [7] * len(rows)
        for row in rows:
            assert f"| {networks.cells(row)} |" in table


def test_no_number_in_a_text_is_guessed_by_what_dies_of_it():
    """pandas' own reading of floats is killed by 1e3000000000, as an identifier may be; Python's is not."""
    safe = {"dtype=str", "float_precision='round_trip'"}
    calls = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", {ast.unparse(word) for word in node.keywords})
        for folder in ("src", "tests", "benchmarks", "docs")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"read_csv", "to_numeric"}
    ]
    assert len(calls) > 5
    assert not [place for place, words in calls if not words & safe]
