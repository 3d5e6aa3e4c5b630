import cv2
import numpy as np
import pytest

from lrface.data.faces.detector import Detector
from lrface.data.faces.looks import alone, distinct, enlarged_back, shrunk
from lrface.data.faces.yunet import YUNET_SHA256
from lrface.data.settings import DetectorSettings


@pytest.fixture
def settings(real_folder) -> DetectorSettings:
    weights = real_folder / "weights" / "face_detection_yunet_2023mar.onnx"
    return DetectorSettings(weights=str(weights), sha256=YUNET_SHA256)


@pytest.fixture
def portrait(real_folder) -> np.ndarray:
    return cv2.imread(str(real_folder / "pairs" / "img1.png"))[..., ::-1].copy()


def photograph(width: int, height: int, *faces: tuple[np.ndarray, int, int, int]) -> np.ndarray:
    """Faces of a side, centred at (x, y), before a background of smooth colours."""
    generator = np.random.default_rng(3)
    colours = generator.integers(60, 190, (5, 4, 3), dtype=np.uint8)
    scene = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
    for pixels, side, x, y in faces:
        kind = cv2.INTER_AREA if side < 112 else cv2.INTER_CUBIC
        top, left = y - side // 2, x - side // 2
        scene[top : top + side, left : left + side] = cv2.resize(pixels, (side, side), interpolation=kind)
    return scene


def looked_at(detector: Detector, image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many pixels the network is shown, frames and all."""
    seen = []
    detect = detector.detect
    monkeypatch.setattr(detector, "detect", lambda view, score: seen.append(view.size // 3) or detect(view, score))
    detector.find(image)
    return sum(seen)


def row(x: float, y: float, side: float, score: float) -> list[float]:
    return [x, y, side, side, *[0.0] * 10, score]


@pytest.mark.real
@pytest.mark.parametrize(
    ("width", "height", "side", "share"), [(122, 169, 80, 0.6), (409, 500, 200, 0.12), (1280, 960, 400, 0.13)]
)
def test_a_large_face_is_found_at_the_first_look_and_its_landmarks_are_where_they_were(
    settings, portrait, monkeypatch, width, height, side, share
):
    image = photograph(width, height, (portrait, side, width // 2, height // 2))
    quick, whole = Detector(settings), Detector(settings.model_copy(update={"first_look": False}))
    found, expected = quick.find(image), whole.find(image)
    assert np.abs(found.landmarks - expected.landmarks).max() < 0.06 * side
    assert found.faces == expected.faces == 1
    assert looked_at(quick, image, monkeypatch) < share * looked_at(whole, image, monkeypatch)


@pytest.mark.real
@pytest.mark.parametrize("side", [30, 45])
def test_small_faces_in_a_large_picture_are_found_by_the_whole_search(settings, portrait, side):
    image = photograph(1280, 960, (portrait, round(side * 1.5), 900, 300))
    found = Detector(settings).find(image)
    expected = Detector(settings.model_copy(update={"first_look": False})).find(image)
    assert np.array_equal(found.landmarks, expected.landmarks)


@pytest.mark.real
@pytest.mark.parametrize("choose", ["largest", "central", "score"])
def test_a_second_face_is_counted_and_the_choice_is_that_of_the_whole_search(settings, portrait, choose):
    image = photograph(500, 400, (portrait, 200, 130, 150), (portrait, 70, 400, 200))
    asked = settings.model_copy(update={"choose": choose})
    found = Detector(asked).find(image)
    expected = Detector(asked.model_copy(update={"first_look": False})).find(image)
    assert found.faces == expected.faces == 2
    assert np.array_equal(found.landmarks, expected.landmarks)


def test_a_face_is_alone_where_nothing_outside_of_it_may_be_another():
    face = row(10, 10, 40, 0.9)
    assert alone(np.array([face]), 0.6)[14] == 0.9
    assert alone(np.array([face, row(80, 10, 30, 0.3)]), 0.6) is None
    assert alone(np.array([face, row(0, 0, 90, 0.3), row(15, 15, 20, 0.4)]), 0.6)[14] == 0.9
    assert alone(np.array([face, row(12, 12, 40, 0.7)]), 0.6) is None
    assert alone(np.empty((0, 15)), 0.6) is None
    assert alone(np.array([row(10, 10, 40, 0.5)]), 0.6) is None


def test_of_faces_found_in_several_sizes_the_best_of_each_is_kept():
    faces = np.array([row(10, 10, 40, 0.7), row(11, 11, 40, 0.9), row(90, 10, 40, 0.8)])
    assert distinct(faces, 0.3) == [1, 2]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(("width", "side"), [(100, 40), (100, 10)])
def test_places_in_a_shrunk_image_come_back(quick, width, side):
    image = np.zeros((width // 2, width, 3), dtype=np.uint8)
    image[20:30, 60:80] = 255
    seen, scale = shrunk(image, side, quick=quick)
    assert max(seen.shape[:2]) == side
    weight = seen[..., 0].astype(float)
    rows, columns = np.indices(weight.shape)
    middle = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    assert np.abs(enlarged_back(middle, scale) - [69.5, 24.5]).max() < 1
    same, unit = shrunk(image, width, quick=quick)
    assert same is image
    assert unit.tolist() == [1, 1]
