"""`app`: what it refuses, and one page that is really served."""

import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
import requests

from lrface.errors import ConfigError
from lrface.jobs import app as module
from lrface.page.trial import MOST_BYTES

STARTS_WITHIN = 240.0
PAIR = ("--pair", "models:/lrface@challenger")


def test_without_a_login_others_are_not_let_in(job, monkeypatch):
    monkeypatch.delenv(module.USER, raising=False)
    refused = job("app", *PAIR, "--overrides", "host=0.0.0.0").refused()
    assert "expected LRFACE_APP_USER and LRFACE_APP_PASSWORD" in refused


def test_without_the_extra_it_is_named(job, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "pip install 'lrface[app]'" in job("app", *PAIR).refused()


def test_a_pair_that_is_not_there(job):
    assert "models:/lrface@champions" in job("app", "--pair", "models:/lrface@champions").refused()
    assert "no folder with edgeface/ and dsr/" in job("app", "--pair", "nowhere").refused()


def test_the_page_is_launched_with_the_pair_the_licence_and_an_example(job, monkeypatch, tmp_path):
    seen = {}

    def launch(trial, about, **options):
        seen.update(options, about=about, shown=trial.show(about.example, 12, about.asked))

    monkeypatch.setattr(module, "launch", launch)
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


def test_gradio_serves_it_with_nothing_from_elsewhere_until_it_is_interrupted(project, person, tmp_path):
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    words = ["python", "-m", "lrface", "app", *PAIR, "--gallery", str(tmp_path / "g.parquet")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*words, "--overrides", f"port={port}"],
            cwd=project.root,
            env=person(TMPDIR=str(tmp_path)),
            stdout=log,
            stderr=subprocess.STDOUT,
            # a shell starts what it sends to the background with Ctrl-C switched off, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            config = _wait_for(f"http://127.0.0.1:{port}/config", process, tmp_path / "log").json()
            page = requests.get(f"http://127.0.0.1:{port}", timeout=30).text
            large = requests.post(
                f"http://127.0.0.1:{port}/gradio_api/upload", files={"files": b"x" * (MOST_BYTES + 1)}, timeout=30
            )
        finally:
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(timeout=60)
            finally:
                process.kill()
    text = (tmp_path / "log").read_text()
    assert code == 0, text
    assert text.splitlines()[-1].endswith("Ctrl-C ends it")
    assert config["analytics_enabled"] is False
    assert {item["api_visibility"] for item in config["dependencies"]} == {"private"}
    assert "fonts.googleapis" not in page
    assert large.status_code == 413
    assert not list(tmp_path.glob("lrface-page-*"))


def _wait_for(address, process, log):
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            return requests.get(address, timeout=5)
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_in_use_is_told_before_anything_is_loaded(monkeypatch, host):
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setattr(module, "load_one_pair", lambda *_: pytest.fail("loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = SimpleNamespace(host=host, port=other.getsockname()[1])
        with pytest.raises(ConfigError, match=f"page at {host}:{settings.port}: got Address already in use"):
            module.run(settings, None)
