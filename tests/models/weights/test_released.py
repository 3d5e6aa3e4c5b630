import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lrface.errors import WeightsError
from lrface.models.edgeface.network import VARIANTS
from lrface.models.weights import released
from lrface.models.weights.released import RELEASED, ReleasedWeights, fetch_released

GOOD = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    blob = hashlib.sha1(b"blob 10240\0" + GOOD, usedforsecurity=False).hexdigest()
    small = {
        "hashed": ReleasedWeights("hashed", "xxs", size=len(GOOD), sha256=hashlib.sha256(GOOD).hexdigest()),
        "blob": ReleasedWeights("blob", "xxs", blob=blob),
    }
    monkeypatch.setattr(released, "RELEASED", small)


@pytest.fixture
def server():
    """Answers with `body`; `told` is the length that it announces, where it differs."""

    class Handler(BaseHTTPRequestHandler):
        body, told, status = GOOD, None, 200

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body) if self.told is None else self.told))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_):
            """Stay quiet."""

    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        Handler.url = f"http://127.0.0.1:{running.server_port}/raw"
        yield Handler
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["hashed", "blob"])
def test_a_good_file_is_fetched_once(server, tmp_path, name):
    seen = []
    path = fetch_released(name, tmp_path / "cache", server.url, progress=lambda *step: seen.append(step))
    assert path == tmp_path / "cache" / f"{name}.pt"
    assert path.read_bytes() == GOOD
    assert seen[-1] == (len(GOOD), len(GOOD) if name == "hashed" else 0)
    assert fetch_released(name, tmp_path / "cache", server.url + "/") == path
    assert server.asked == [f"/raw/{name}.pt"]


@pytest.mark.parametrize("name", ["hashed", "blob"])
@pytest.mark.parametrize("body", [GOOD[:-1] + b"x", GOOD[:-1], b""])
def test_a_wrong_or_short_file_is_refused(server, tmp_path, name, body):
    server.body = body
    with pytest.raises(WeightsError, match=f"by hand and put it at {tmp_path}"):
        fetch_released(name, tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["hashed", "blob"])
def test_an_answer_that_breaks_off_is_refused(server, tmp_path, name):
    server.body, server.told = GOOD[:5000], len(GOOD)
    with pytest.raises(WeightsError, match="by hand"):
        fetch_released(name, tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["hashed", "blob"])
def test_an_oversized_answer_is_cut_short(server, tmp_path, name, monkeypatch):
    monkeypatch.setattr(released, "_LIMIT_BYTES", len(GOOD))
    server.body = GOOD + b"more"
    with pytest.raises(WeightsError, match="more than 10,240 bytes"):
        fetch_released(name, tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []


def test_an_address_without_the_file_is_told(server, tmp_path):
    server.status = 404
    with pytest.raises(WeightsError, match="404") as caught:
        fetch_released("hashed", tmp_path, server.url)
    assert f"download {server.url}/hashed.pt by hand and put it at {tmp_path}/hashed.pt" in str(caught.value)


def test_no_network_is_told(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(WeightsError, match="by hand"):
        fetch_released("hashed", tmp_path, f"http://127.0.0.1:{port}")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WeightsError, match="timed out"):
            fetch_released("hashed", tmp_path, url, timeout_s=0.1)


def test_a_wrong_file_in_the_cache_is_named_and_left(server, tmp_path):
    (tmp_path / "hashed.pt").write_bytes(b"put here by hand")
    with pytest.raises(WeightsError, match="delete"):
        fetch_released("hashed", tmp_path, server.url)
    assert server.asked == []


def test_a_file_put_there_by_hand_needs_no_network(tmp_path):
    (tmp_path / "hashed.pt").write_bytes(GOOD)
    assert fetch_released("hashed", tmp_path, "http://127.0.0.1:9") == tmp_path / "hashed.pt"


def test_other_names_and_addresses_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="one of hashed, blob"):
        fetch_released("edgeface_huge", tmp_path)
    with pytest.raises(WeightsError, match="an http address"):
        fetch_released("hashed", tmp_path, "file:///etc")


def test_the_table_is_complete():
    assert {weights.variant for weights in RELEASED.values()} <= set(VARIANTS)
    for name, weights in RELEASED.items():
        assert name == weights.name
        assert (len(weights.sha256) == 64) if weights.sha256 else (len(weights.blob) == 40)


@pytest.mark.real
def test_the_real_int8_file_is_the_released_one(real_folder, monkeypatch):
    monkeypatch.undo()
    folder = real_folder / "weights"
    assert fetch_released("edgeface_xxs_q", folder) == folder / "edgeface_xxs_q.pt"
