import hashlib
import http.server
import threading

import cv2
import numpy as np
import pytest

from lrface.data.faces import yunet
from lrface.data.faces.aligner import Aligner
from lrface.data.faces.detector import Detector
from lrface.data.faces.yunet import YUNET_SHA256, download_yunet, read_weights
from lrface.data.settings import AlignSettings, DetectorSettings
from lrface.errors import ConfigError, DataError
from lrface.images.alignment import TEMPLATE
from lrface.images.reading.reader import BadImageError


@pytest.fixture
def settings(real_folder) -> DetectorSettings:
    weights = real_folder / "weights" / "face_detection_yunet_2023mar.onnx"
    return DetectorSettings(weights=str(weights), sha256=YUNET_SHA256)


@pytest.fixture
def portrait(real_folder) -> np.ndarray:
    return cv2.imread(str(real_folder / "pairs" / "img1.png"))[..., ::-1].copy()


@pytest.mark.real
def test_an_aligned_face_has_its_landmarks_in_the_template(settings, portrait):
    found = Detector(settings).find(portrait)
    assert found is not None
    assert found.faces == 1
    assert np.abs(found.landmarks - TEMPLATE).max() < 8


@pytest.mark.real
@pytest.mark.parametrize("factor", [0.3, 3, 12])
def test_landmarks_follow_the_size_of_the_image(settings, portrait, factor):
    detector = Detector(settings)
    resized = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    enlarged = detector.enlarge(resized)
    found = detector.find(enlarged.pixels)
    assert found is not None
    expected = detector.find(portrait).landmarks
    assert np.abs(found.landmarks / enlarged.factor / factor - expected).max() < 5


@pytest.mark.real
@pytest.mark.parametrize(("choose", "left"), [("largest", True), ("central", False)])
def test_which_of_two_faces(settings, portrait, choose, left):
    scene = np.full((300, 500, 3), 128, dtype=np.uint8)
    scene[20:188, 10:178] = cv2.resize(portrait, (168, 168))
    scene[100:212, 200:312] = portrait
    found = Detector(settings.model_copy(update={"choose": choose})).find(scene)
    assert found.faces == 2
    assert (found.landmarks[:, 0].mean() < 180) == left


@pytest.mark.real
def test_no_face_is_skipped_raised_or_cut_from_the_middle(settings):
    nothing = np.full((90, 120, 3), 77, dtype=np.uint8)
    aligner = Aligner(AlignSettings(mode="yunet", detector=settings))
    with pytest.raises(BadImageError, match="no face") as caught:
        aligner.align(nothing, "a.png")
    assert caught.value.kind == "no_face"
    lenient = Aligner(AlignSettings(mode="yunet", detector=settings, on_no_face="centre"))
    assert lenient.align(nothing, "a.png").method == "centre"


@pytest.mark.real
def test_auto_uses_the_detector_only_where_it_is_needed(settings, portrait):
    aligner = Aligner(AlignSettings(detector=settings))
    assert aligner.align(portrait, "a.png").method == "as_is"
    assert aligner.align(cv2.resize(portrait, (224, 224)), "a.png").method == "yunet"


@pytest.mark.real
def test_one_detector_serves_several_threads(settings, portrait):
    detector = Detector(settings)
    expected = detector.find(portrait).landmarks
    results = []
    threads = [threading.Thread(target=lambda: results.append(detector.find(portrait))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(found.landmarks, expected) for found in results)


def test_landmarks_from_a_file():
    aligner = Aligner(AlignSettings(mode="landmarks"))
    image = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    aligned = aligner.align(image, "a.png", TEMPLATE)
    assert aligned.method == "landmarks"
    assert np.array_equal(aligned.pixels, image)
    with pytest.raises(BadImageError, match="no landmarks"):
        aligner.align(image, "a.png")


def test_the_frontal_filter():
    turned = TEMPLATE.copy()
    turned[2, 0] += 15
    aligner = Aligner(AlignSettings(mode="landmarks", max_yaw=20))
    image = np.zeros((112, 112, 3), dtype=np.uint8)
    assert abs(aligner.align(image, "a.png", TEMPLATE).yaw) < 3
    with pytest.raises(BadImageError, match="turned by about") as caught:
        aligner.align(image, "a.png", turned)
    assert caught.value.kind == "not_frontal"


def test_weights_that_are_missing_or_wrong(tmp_path):
    with pytest.raises(ConfigError, match="no weights"):
        Aligner(AlignSettings(mode="yunet"))
    with pytest.raises(DataError, match="no such file"):
        read_weights(DetectorSettings(weights=str(tmp_path / "none.onnx")))
    path = tmp_path / "other.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(DataError, match="expected sha256 8f2383e4dd3c"):
        read_weights(DetectorSettings(weights=str(path), sha256=YUNET_SHA256))
    with pytest.raises(DataError, match="cannot be run as YuNet"):
        Detector(DetectorSettings(weights=str(path)))


@pytest.fixture
def server():
    content = b"some weights"

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/yunet.onnx", hashlib.sha256(content).hexdigest()
        running.shutdown()
        thread.join()


def test_a_download_is_kept_and_not_repeated(server, tmp_path):
    url, sha256 = server
    target = tmp_path / "models" / "yunet.onnx"
    assert download_yunet(target, url, sha256).read_bytes() == b"some weights"
    assert download_yunet(target, "http://127.0.0.1:9/none", sha256) == target


def test_a_download_of_something_else_is_not_kept(server, tmp_path):
    with pytest.raises(DataError, match="put it at"):
        download_yunet(tmp_path / "yunet.onnx", server[0], YUNET_SHA256)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_manual_way_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no answer .* by hand"):
        download_yunet(tmp_path / "yunet.onnx", "http://127.0.0.1:9/yunet.onnx")
    with pytest.raises(ConfigError, match=r"an http\(s\) address"):
        download_yunet(tmp_path / "yunet.onnx", "file:///etc/passwd")


def test_download_as_weights_fetches_them_once(tmp_path, server, monkeypatch):
    url, sha256 = server
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plain = yunet.download_yunet
    monkeypatch.setattr(yunet, "download_yunet", lambda target: plain(target, url, sha256))

    assert read_weights(DetectorSettings(weights="download")) == b"some weights"
    assert [path.name for path in (tmp_path / "lrface").iterdir()] == ["face_detection_yunet_2023mar.onnx"]
    with pytest.raises(DataError, match="sha256"):
        read_weights(DetectorSettings(weights="download", sha256="0" * 64))
