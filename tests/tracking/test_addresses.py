"""Pages of MLflow's UI."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from lrface.tracking.addresses import (
    curves_page,
    file_page,
    run_page,
    stages_page,
    version_page,
    where_to_look,
)

STORE = SimpleNamespace(place="sqlite:////p/mlruns/mlflow.db", experiment_id="7")


@pytest.mark.parametrize(
    "page",
    [
        run_page(STORE, "r"),
        run_page(STORE, "r", "evaluation/report.html"),
        curves_page(STORE, "r"),
        stages_page(STORE, "r", "train_dsr"),
        version_page("lrface", 3),
    ],
)
def test_a_page_opens_in_the_view_that_has_runs_and_registered_models(page):
    fragment = urlsplit(f"http://server/{page}").fragment
    assert parse_qs(urlsplit(fragment).query)["workflowType"] == ["machine_learning"]


def test_the_stages_of_a_cycle_are_asked_for_by_a_filter_that_survives_an_address():
    asked = parse_qs(urlsplit(urlsplit(f"http://server/{stages_page(STORE, 'abc', 'train_dsr')}").fragment).query)
    assert asked["searchFilter"] == ["tags.`lrface.job` = 'train_dsr' AND tags.`mlflow.parentRunId` = 'abc'"]
    assert asked["compareRunsMode"] == ["CHART"]


def test_a_file_is_asked_for_by_its_path():
    asked = parse_qs(urlsplit(file_page("abc", "images/a+step+1.png")).query)
    assert asked == {"path": ["images/a+step+1.png"], "run_uuid": ["abc"]}


@pytest.mark.parametrize(
    ("place", "first"),
    [("sqlite:////p/mlruns/mlflow.db", "look: `make ui`"), ("https://tracker/", "cycle: https://tracker/#/")],
)
def test_a_cycle_ends_with_whole_addresses(place, first):
    lines = where_to_look(SimpleNamespace(place=place, experiment_id="7"), "abc", "def")
    assert lines[0].startswith(first)
    assert [line.split(": ")[0] for line in lines[-4:]] == ["cycle", "curves", "losses", "report"]
    assert all("://" in line for line in lines[-4:])
