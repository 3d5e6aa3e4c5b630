from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.data.faces.crowd import _SHARED, _TILE, Crowd, _scales, _tiles
from lrface.data.faces.yunet import YUNET_SHA256
from lrface.data.settings import CrowdSettings, DetectorSettings
from lrface.errors import ConfigError


@given(st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=50, deadline=None)
def test_tiles_cover_a_picture_and_share_a_strip(height, width):
    corners = _tiles((height, width, 3))
    assert max(top for top, _ in corners) + _TILE >= height
    assert max(left for _, left in corners) + _TILE >= width
    tops = sorted({top for top, _ in corners})
    assert all(after - before <= _TILE - _SHARED for before, after in pairwise(tops))


def test_scales_go_down_until_the_picture_is_small():
    assert list(_scales(3.0, 900)) == pytest.approx([3, 1, 1 / 3])
    assert list(_scales(8.0, 20)) == [8]


def test_without_weights_it_is_one_line():
    with pytest.raises(ConfigError, match="face detector: got no weights"):
        Crowd(DetectorSettings())


@pytest.fixture(scope="module")
def detector(real_folder):
    weights = real_folder / "weights" / "face_detection_yunet_2023mar.onnx"
    return DetectorSettings(weights=str(weights), sha256=YUNET_SHA256)


@pytest.fixture(scope="module")
def heads(real_folder):
    """Twelve photographs of 23 x 28 pixels, in which a face has about 23."""
    paths = [real_folder / "faces_raw" / f"s{person}" / "1.pgm" for person in range(1, 13)]
    return [cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB) for path in paths]


def crowded(heads, side, size=(320, 240)):
    """Heads in rows, whose faces have about that side, on a ramp of grey."""
    image = np.repeat(np.linspace(60, 180, size[0]).astype(np.uint8)[None, :, None], size[1], 0).repeat(3, 2)
    wide, high = round(23 * side / 23), round(28 * side / 23)
    places = [(20 + (n % 4) * 75, 15 + (n // 4) * 75) for n in range(len(heads))]
    for head, (left, top) in zip(heads, places, strict=True):
        kind = cv2.INTER_AREA if side < 23 else cv2.INTER_CUBIC
        image[top : top + high, left : left + wide] = cv2.resize(head, (wide, high), interpolation=kind)
    return image, [(left + wide / 2, top + high / 2) for left, top in places]


@pytest.mark.real
@pytest.mark.parametrize(("side", "least"), [(10, 9), (14, 11), (24, 12), (40, 12)])
def test_small_faces_are_found_where_they_are_and_at_their_size(detector, heads, side, least):
    image, places = crowded(heads, side)

    found = Crowd(detector).find(image)

    centres = np.array([(face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2) for face in found.faces])
    apart = np.abs(centres[:, None] - np.array(places)[None]).max(axis=2)
    assert (apart.min(axis=0) < side / 2).sum() >= least
    assert (apart.min(axis=1) < side / 2).all()
    assert np.median([face.side for face in found.faces]) == pytest.approx(side, rel=0.2)
    for face in found.faces:
        assert face.pixels.shape[0] == (round(face.side) if round(face.side) <= 32 else 112)


@pytest.mark.real
def test_what_is_beyond_the_bounds_is_told(detector, heads):
    image, _ = crowded(heads, 24)

    few = Crowd(detector, CrowdSettings(most=5, smallest=16)).find(image)
    assert (len(few.faces), few.beyond) == (5, 7)
    assert few.notes == ["12 faces, of which the 5 largest were taken"]
    coarse = Crowd(detector, CrowdSettings(megapixels=0.05)).find(image)
    assert "faces under 37 pixels were not looked for" in coarse.notes[-1]
    assert Crowd(detector, CrowdSettings(smallest=20)).find(np.full((90, 120, 3), 77, np.uint8)).faces == ()


@pytest.mark.real
def test_a_face_is_found_again_near_where_it_was(detector, heads):
    image, _ = crowded(heads[:1], 24)
    crowd = Crowd(detector, CrowdSettings(smallest=16))
    (face,) = crowd.find(image).faces

    again = crowd.again(np.roll(image, 4, axis=1), face.landmarks)

    assert again.landmarks == pytest.approx(face.landmarks + np.array([4, 0]), abs=2)
    assert crowd.again(image, face.landmarks + np.array([150, 100])) is None
