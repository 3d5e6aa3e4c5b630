"""Notes on MLflow's pages."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lrface.tracking.notes import JOBS, LOOKS, cycle_note, job_note, picture

STORE = SimpleNamespace(place="sqlite:////p/mlruns/mlflow.db", experiment_id="7")


class Kept:
    """A run that keeps what is logged."""

    store = STORE
    run_id = "abc"
    parent = None

    def __init__(self):
        self.files = {}

    def log_artifact(self, path, folder):
        with Image.open(path) as image:
            self.files[f"{folder}/{path.name}"] = image.size


@pytest.mark.parametrize("job", JOBS)
def test_a_note_leads_to_what_shows_most(job):
    run = Kept()
    run.parent = SimpleNamespace(name="cycle", run_id="up")
    note = job_note(job, run, "![faces](x)")
    assert "[cycle](#/experiments/7/runs/up?" in note
    assert (f"runs/abc/artifacts/{LOOKS[job]}?" in note) if job in LOOKS else ("/artifacts/" not in note)
    assert note.endswith("![faces](x)")


def test_what_a_cycle_found_comes_first_since_mlflow_folds_the_rest():
    table = [["rank-1", "8 px"], ["pair", "59.2"]]
    note = cycle_note(Kept(), table, "Not promoted.", [("report", "#/r")], ["![plot](x)"]).split("\n\n")
    assert note[0] == "**Not promoted.**"
    assert note[1].startswith("[report](#/r) · ")
    assert note[2] == "![plot](x)"
    assert note[3].splitlines() == ["| rank-1 | 8 px |", "| --- | --- |", "| pair | 59.2 |"]


def test_a_cycle_without_figures_has_no_table():
    assert "|" not in cycle_note(Kept(), [], "Not promoted.", [], [])


@pytest.mark.parametrize(("width", "shown"), [(900, (600, 200)), (300, (300, 100))])
def test_a_picture_is_made_smaller_and_never_larger(tmp_path, width, shown):
    image = np.zeros((width // 3, width, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "plot.png")
    for given in (image, tmp_path / "plot.png"):
        run = Kept()
        assert picture(run, "plot", given) == "![plot](get-artifact?path=note%2Fplot.png&run_uuid=abc)"
        assert run.files == {"note/plot.png": shown}
