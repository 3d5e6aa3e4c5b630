import os
import pickle

import cv2
import numpy as np
import pytest

from lrface.errors import EvaluationError
from lrface.evaluation.public import (
    PairSettings,
    evaluate_pair_set,
    read_lfw_pairs,
    read_survface,
    read_tinyface,
    read_verification_bin,
    search_set,
)
from lrface.metrics.identification import rank_rate


def encoded(face):
    return cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1].tobytes()


def written(path, face, side=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(face if side is None else cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)))


@pytest.fixture(scope="module")
def faces(world):
    return world.make_faces(subjects=10, images=2, noise=25.0)[0]


@pytest.fixture
def pair_bin(faces, tmp_path):
    """Ten folds of a genuine and an impostor pair."""
    pictures, flags = [], []
    for subject in range(10):
        pictures += [encoded(faces[2 * subject]), encoded(faces[2 * subject + 1])]
        pictures += [encoded(faces[2 * subject]), encoded(faces[(2 * subject + 5) % 20])]
        flags += [True, False]

    def write(protocol):
        path = tmp_path / "faces.bin"
        path.write_bytes(pickle.dumps((pictures, flags), protocol=protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", [2, 4])
def test_verification_bins_are_read_whatever_the_pickle_protocol(pair_bin, faces, protocol):
    pairs = read_verification_bin(pair_bin(protocol))
    assert pairs.faces.shape == (40, 112, 112, 3)
    np.testing.assert_array_equal(pairs.faces[0], faces[0])
    np.testing.assert_array_equal(pairs.faces[pairs.second[0]], faces[1])
    assert pairs.same.tolist() == [True, False] * 10


def test_pair_sets_are_easy_in_hr_and_harder_when_small(pair_bin, world):
    pairs = read_verification_bin(pair_bin(4))
    arm = world.arm("bicubic", world.fine)
    plain = evaluate_pair_set(pairs, arm)
    assert plain.mean == 1.0
    assert len(plain.accuracies) == 10
    assert evaluate_pair_set(pairs, arm, settings=PairSettings(flip=True)).mean == 1.0
    for small in ("second", "both"):
        found = evaluate_pair_set(pairs, arm, 8, settings=PairSettings(small=small))
        assert 0.5 < found.mean <= 1.0
    with pytest.raises(EvaluationError, match="takes"):
        evaluate_pair_set(pairs, world.arm("bicubic", world.fine), 500)


class Evil:
    def __reduce__(self):
        return os.system, ("echo harm",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil()),
        pickle.dumps(([b"x"], [Evil()])),
        pickle.dumps({"a": 1}),
        pickle.dumps(([b"no picture", b"none"], [True])),
        pickle.dumps(([b"odd"], [True])),
        b"",
        b"junk",
    ],
)
def test_a_pickle_of_anything_else_is_refused(tmp_path, content, capfd):
    path = tmp_path / "evil.bin"
    path.write_bytes(content)
    with pytest.raises(EvaluationError):
        read_verification_bin(path)
    assert "harm" not in capfd.readouterr().out
    with pytest.raises(EvaluationError, match="no such file"):
        read_verification_bin(tmp_path / "absent.bin")


@pytest.fixture
def lfw(faces, tmp_path):
    for subject in range(10):
        for image in range(2):
            written(tmp_path / "lfw" / f"P_{subject}" / f"P_{subject}_{image + 1:04d}.png", faces[2 * subject + image])
    lines = ["5\t2"]
    for subject in range(10):
        lines += [f"P_{subject}\t1\t2", f"P_{subject}\t1\tP_{(subject + 1) % 10}\t2"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_lfw_pairs_are_read_in_their_order_and_folds(lfw, world, faces):
    pairs = read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw")
    assert pairs.folds == 5
    assert pairs.same.tolist() == [True, False] * 10
    np.testing.assert_array_equal(pairs.faces[pairs.first[2]], faces[2])
    assert evaluate_pair_set(pairs, world.arm("bicubic", world.fine)).mean == 1.0


def test_photographs_need_an_alignment(lfw, faces):
    written(lfw / "lfw" / "P_0" / "P_0_0001.png", np.zeros((250, 250, 3), np.uint8))
    with pytest.raises(EvaluationError, match="250x250"):
        read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw")
    pairs = read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw", align=lambda photo: photo[:112, :112])
    assert not pairs.faces[pairs.first[0]].any()


@pytest.mark.parametrize(
    ("text", "got"), [("", "numbers"), ("10 300\nonly two", "only two"), ("1 1\nNobody 1 2", "Nobody_0001")]
)
def test_pairs_that_are_none_are_refused(lfw, text, got):
    (lfw / "pairs.txt").write_text(text)
    with pytest.raises(EvaluationError, match=got):
        read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw")
    with pytest.raises(EvaluationError, match="no such file"):
        read_lfw_pairs(lfw / "absent.txt", lfw / "lfw")


def test_tinyface_searches_among_distractors(faces, tmp_path, world):
    base = tmp_path / "Testing_Set"
    for subject in range(4):
        written(base / "Gallery_Match" / f"{subject}_1.png", faces[2 * subject], 24)
        written(base / "Probe" / f"{subject}_2.png", faces[2 * subject + 1], 18)
    for subject in range(5, 9):
        written(base / "Gallery_Distractor" / f"d{subject}.png", faces[2 * subject], 20)
    found, strangers = search_set(read_tinyface(tmp_path), world.arm("bicubic", world.fine), 20)
    assert rank_rate(found, 1) == 1.0
    assert strangers.size == 0
    assert found.rank.size == 4


def test_survface_has_strangers_too(faces, tmp_path, world):
    for subject in range(4):
        written(tmp_path / "gallery" / f"{subject}_cam1_1.png", faces[2 * subject], 24)
        written(tmp_path / "mated_probe" / f"{subject}_cam2_1.png", faces[2 * subject + 1], 24)
        written(tmp_path / "unmated_probe" / f"{subject + 5}_cam3_1.png", faces[2 * subject + 10], 24)
    steps = []
    found, strangers = search_set(
        read_survface(tmp_path), world.arm("bicubic", world.fine), 20, progress=lambda *told: steps.append(told)
    )
    assert rank_rate(found, 1) == 1.0
    assert strangers.size == 4
    assert strangers.max() < found.mate.min()
    assert steps[-1] == (12, 12)
    (tmp_path / "mated_probe" / "77_cam2_1.png").write_bytes(encoded(faces[0]))
    with pytest.raises(EvaluationError, match="77_cam2"):
        read_survface(tmp_path)
    with pytest.raises(EvaluationError, match="no such folder"):
        read_tinyface(tmp_path)
