"""The notebook of the documentation, run on the registry of a finished cycle."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "first_look.ipynb"


@pytest.fixture(scope="module")
def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_lies_there_without_outputs(read):
    nbformat.validate(read)
    cells = [cell for cell in read.cells if cell.cell_type == "code"]
    assert len(cells) == 10
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_cell_runs_on_what_a_cycle_leaves(read, project):
    done = NotebookClient(read, timeout=300, resources={"metadata": {"path": str(project.root)}}).execute()

    told = [
        "".join(str(output.get("data", {}).get("text/plain", output.get("text", ""))) for output in cell.outputs)
        for cell in done.cells
        if cell.cell_type == "code"
    ]
    assert all(told[1:])
    assert "lrface@" in told[2]
    assert "PIL.Image" in told[4]
    assert "True" in told[5] or "False" in told[5]
    for words, place in (("train_dsr baseline", 6), ("pair", 7), ("change", 8), ("hr_rank1", 9)):
        assert words in told[place]
