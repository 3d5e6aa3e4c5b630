"""Mirrored and cropped copies are found; other pictures, of the same person too, are not."""

import cv2
import numpy as np
import pytest

from lrface.data.checks.checks import check_splits
from lrface.data.checks.copies import altered_pairs
from lrface.data.measure import measure
from lrface.data.pack.splits import Splits
from lrface.data.settings import CheckSettings

from .test_checks import checked


def cropped(face, share):
    left = round(share * 112)
    return cv2.resize(face[left : 112 - left, left : 112 - left], (112, 112), interpolation=cv2.INTER_CUBIC)


def recompressed(face):
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)


ALTERED = {
    "mirrored": lambda face: np.ascontiguousarray(face[:, ::-1]),
    "mirrored, recompressed": lambda face: recompressed(np.ascontiguousarray(face[:, ::-1])),
    "cropped by a twentieth of each side": lambda face: cropped(face, 0.05),
    "cropped by a twentieth, recompressed": lambda face: recompressed(cropped(face, 0.05)),
}


def pairs(faces):
    return altered_pairs([measure(face) for face in faces], lambda row: faces[row], 4, 0.985).tolist()


def test_pictures_of_their_own_are_no_copies(faces):
    assert pairs(faces) == []


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_copy_is_found_whichever_comes_first(faces, how):
    copies = [*faces, ALTERED[how](faces[3])]
    assert pairs(copies) == [[3, 20]]
    assert pairs(copies[::-1]) == [[0, 17]]


def test_the_hash_of_a_mirror_image_is_that_of_the_mirrored_picture(faces):
    for face in faces:
        measured, mirrored = measure(face), measure(np.ascontiguousarray(face[:, ::-1]))
        assert np.bitwise_count(np.uint64(measured.mirrored ^ mirrored.perceptual)) <= 2
        assert np.bitwise_count(np.uint64(measured.perceptual ^ mirrored.mirrored)) <= 2


def test_a_copy_under_another_person_is_a_finding_and_no_refusal(faces, subjects):
    everything = [*faces, ALTERED["mirrored"](faces[0]), ALTERED["mirrored"](faces[5])]
    people = [*subjects, "p9", "p1"]
    found = checked(np.stack(everything), people)
    undealt = Splits(("test",) * 22, ("none",) * 22, {})
    (finding,) = check_splits(found, undealt, CheckSettings())
    assert (finding.kind, finding.severity, finding.count) == ("altered_subject", "warning", 1)
    assert finding.examples == ("p0/0.png = p9/20.png",)
    assert check_splits(found, undealt, CheckSettings(ignore=("altered_subject",))) == []
