"""`app`: what it refuses, and one page that is really served."""

import sys

import pytest
import requests

from lrface.jobs import app as module
from lrface.page import view

PAIR = ("--pair", "models:/lrface@challenger")


def test_without_a_login_others_are_not_let_in(job, monkeypatch):
    monkeypatch.delenv(module.USER, raising=False)
    refused = job("app", *PAIR, "--overrides", "host=0.0.0.0").refused()
    assert "expected LRFACE_APP_USER and LRFACE_APP_PASSWORD" in refused


def test_without_the_extra_it_is_named(job, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'lrface[app]'" in job("app", *PAIR).refused()


def test_a_pair_that_is_not_there(job):
    assert "models:/lrface@champions" in job("app", "--pair", "models:/lrface@champions").refused()
    assert "no folder with edgeface/ and dsr/" in job("app", "--pair", "nowhere").refused()


def test_the_page_is_launched_with_the_pair_the_licence_and_an_example(job, monkeypatch, tmp_path):
    seen = {}

    def launch(trial, about, **options):
        seen.update(options, about=about, shown=trial.show(about.example, 12, 0.35))

    monkeypatch.setattr(view, "launch", launch)
    monkeypatch.setenv(module.USER, "me")
    monkeypatch.setenv(module.PASSWORD, "s3cret")
    gallery = str(tmp_path / "g.parquet")
    ended = job("app", *PAIR, "--gallery", gallery, "--overrides", "host=0.0.0.0 port=7999")
    assert ended.code == 0, ended.err
    assert (seen["host"], seen["port"], seen["login"]) == ("0.0.0.0", 7999, ("me", "s3cret"))  # noqa: S104
    assert "models:/lrface/" in seen["about"].heading
    assert seen["about"].lines[0].startswith("licence: ")
    assert seen["shown"].vlr.shape == (12, 12, 3)
    assert "s3cret" not in ended.out


@pytest.mark.filterwarnings("ignore")
def test_gradio_serves_it_with_nothing_from_elsewhere(job, monkeypatch, tmp_path):
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    found = {}
    real = view.launch

    def launch(trial, about, **options):
        with real(trial, about, **{**options, "port": None}, block=False) as page:
            address = page._page.local_url
            found["config"] = requests.get(f"{address}config", timeout=30).json()
            found["page"] = requests.get(address, timeout=30).text

    monkeypatch.setattr(view, "launch", launch)
    ended = job("app", *PAIR, "--gallery", str(tmp_path / "g.parquet"))
    assert ended.code == 0, ended.err
    assert found["config"]["analytics_enabled"] is False
    assert not any(item.get("api_name") for item in found["config"]["dependencies"])
    assert "fonts.googleapis" not in found["page"]
    assert "gradio" in sys.modules
