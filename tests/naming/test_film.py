import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from films import drawn, scene, write_film
from lrface.errors import ConfigError, DataError
from lrface.naming.film import CODECS, Film, written

PIXELS = 1_000_000


def moving(count=12):
    return [scene([(drawn(0), 10 + 4 * t, 30, 40)]) for t in range(count)]


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_frames_come_as_they_were_written(tmp_path, codec):
    path = write_film(tmp_path / f"a film{CODECS[codec]}", moving(), codec)

    film = Film(path, PIXELS)
    frames = list(film.frames())

    assert (film.width, film.height, film.rate, film.claimed, len(frames)) == (160, 120, 10.0, 12, 12)
    assert np.abs(frames[3].astype(int) - moving()[3]).mean() < 6
    assert film.cut(12) == ""
    assert np.array_equal(frames[5], list(film.frames())[5])


def test_a_film_that_was_cut_short_is_read_as_far_as_it_goes_and_told(tmp_path, capfd):
    path = write_film(tmp_path / "film.avi", moving(40))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    film = Film(path, PIXELS)
    seen = sum(1 for _ in film.frames())

    assert 5 < seen < 38
    assert film.cut(seen) == f"the film ends after {seen} of 40 frames that it claims: it was cut short, or is damaged"
    assert capfd.readouterr() == ("", "")


def _cut_mp4(folder):
    path = write_film(folder / "cut.mp4", moving(), "mp4v")
    path.write_bytes(path.read_bytes()[:-400])
    return path


def _no_frames(folder):
    path = folder / "none.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 64)).release()
    return path


def _other_codec(folder):
    path = write_film(folder / "codec.avi", moving())
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"QXZ9"))
    return path


def _text(folder):
    (folder / "words.mp4").write_text("no film at all")
    return folder / "words.mp4"


def _empty(folder):
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_cut_mp4, "cannot open: no film, cut short"),
        (_no_frames, "got (no frame in it|an empty file|a file that OpenCV cannot open)"),
        (_other_codec, "cannot open: no film, cut short, or of a codec that is not there"),
        (_text, "cannot open: no film"),
        (_empty, "got an empty file"),
        (lambda folder: folder / "nothing.mp4", "got no such file"),
        (lambda folder: folder, "got no such file"),
    ],
)
def test_what_is_no_film_is_one_line_and_the_libraries_are_silent(tmp_path, capfd, make, words):
    with pytest.raises(DataError, match=words) as caught:
        Film(make(tmp_path), PIXELS)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_frames_that_are_too_large_are_refused_before_one_is_decoded(tmp_path):
    path = write_film(tmp_path / "film.avi", moving(2))
    with pytest.raises(DataError, match="frames of 160x120 pixels; expected 1000 pixels or fewer"):
        Film(path, 1000)


def test_a_written_film_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out" / "film.avi"

    def ends_on_the_way():
        with written(path, "MJPG", 10, (160, 120)) as writer:
            writer.write(moving(1)[0])
            assert not path.exists()
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        ends_on_the_way()
    assert list(path.parent.iterdir()) == []

    with written(path, "MJPG", 10, (160, 120)) as writer:
        for frame in moving(3):
            writer.write(frame)
    assert [found.name for found in path.parent.iterdir()] == ["film.avi"]
    assert Film(path, PIXELS).claimed == 3


def test_a_codec_that_cannot_be_written_is_named(tmp_path, capfd):
    with (
        pytest.raises(ConfigError, match="got QXZ9, which this OpenCV cannot write"),
        written(tmp_path / "film.mp4", "QXZ9", 10, (160, 120)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
