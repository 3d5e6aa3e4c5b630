import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lrface.data.pack.pack import open_pack
from lrface.data.pack.writer import PackWriter, write_pack
from lrface.data.source import SourceFace
from lrface.errors import DataError


def face(pixels, name="a/1.png", subject="a", **more):
    return SourceFace(name, subject, pixels, 112, 112, **more)


def write_two(writer: PackWriter, first: np.ndarray, second: np.ndarray) -> None:
    writer.append(face(first, "a/1.png"))
    writer.append(face(second, "a/2.png"))


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_written_before_the_first_face(tmp_path):
    with PackWriter(tmp_path / "deep" / "pack"):
        assert content(tmp_path) == []


def test_leaving_without_commit_leaves_nothing(tmp_path, faces):
    with PackWriter(tmp_path / "deep" / "er" / "pack") as writer:
        writer.append(face(faces[0]))
        assert content(tmp_path) == ["deep"]
    assert content(tmp_path) == []


def test_an_exception_leaves_nothing(tmp_path, faces):
    with pytest.raises(DataError, match="align the face"), PackWriter(tmp_path / "pack") as writer:
        write_two(writer, faces[0], faces[1, :64])
    assert content(tmp_path) == []


def test_what_was_written_can_be_looked_at_before_commit(tmp_path, faces):
    with PackWriter(tmp_path / "pack") as writer:
        with pytest.raises(IndexError):
            writer.face(0)
        for number in range(3):
            writer.append(face(faces[number], f"a/{number}.png", superres="val"))
        assert all(np.array_equal(writer.face(row), faces[row]) for row in range(3))
        with pytest.raises(IndexError):
            writer.face(3)
        assert writer.table()["superres"].tolist() == ["val"] * 3
        assert len(writer) == 3


def test_a_pack_without_faces_is_refused(tmp_path):
    with PackWriter(tmp_path / "pack") as writer, pytest.raises(DataError, match="no faces"):
        writer.commit([], [])


def test_an_identical_pack_is_left_alone(tmp_path, faces, subjects):
    first = write_pack(tmp_path / "pack", faces, subjects)
    before = (first.root / "faces.npy").stat().st_mtime_ns
    again = write_pack(tmp_path / "pack", faces, subjects)
    assert again.digest == first.digest
    assert (first.root / "faces.npy").stat().st_mtime_ns == before
    assert content(tmp_path) == ["pack"]


def test_another_pack_is_replaced_only_when_allowed(tmp_path, faces, subjects):
    first = write_pack(tmp_path / "pack", faces, subjects)
    with pytest.raises(DataError, match="another pack in this place"):
        write_pack(tmp_path / "pack", faces[::-1], subjects)
    assert open_pack(tmp_path / "pack").digest == first.digest
    second = write_pack(tmp_path / "pack", faces[::-1], subjects, overwrite=True)
    assert second.digest != first.digest
    assert np.array_equal(open_pack(tmp_path / "pack").faces, faces[::-1])
    assert content(tmp_path) == ["pack"]


def test_a_damaged_pack_is_no_identical_one(tmp_path, faces, subjects):
    first = write_pack(tmp_path / "pack", faces, subjects)
    (first.root / "faces.npy").write_bytes(b"")
    with pytest.raises(DataError, match="another pack"):
        write_pack(tmp_path / "pack", faces, subjects)
    assert np.array_equal(write_pack(tmp_path / "pack", faces, subjects, overwrite=True).faces, faces)


def test_what_is_no_pack_is_never_replaced(tmp_path, faces, subjects):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(b"precious")
    with pytest.raises(DataError, match="another kind"):
        write_pack(photos, faces, subjects, overwrite=True)
    with pytest.raises(DataError, match="another kind"):
        write_pack(photos / "1.jpg", faces, subjects, overwrite=True)
    assert (photos / "1.jpg").read_bytes() == b"precious"


def test_an_empty_folder_may_be_used(tmp_path, faces, subjects):
    (tmp_path / "pack").mkdir()
    assert len(write_pack(tmp_path / "pack", faces, subjects)) == 20


def test_a_place_that_is_no_folder_is_refused(tmp_path, faces, subjects):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="a place that can be written"):
        write_pack(tmp_path / "file" / "pack", faces, subjects)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"subject": "  "}, "an empty name"),
        ({"subject": "a\tb"}, "control characters"),
        ({"subject": "1" * 5000}, "4,980 characters more; expected at most 4,096"),
        ({"name": "a/\udcff.png"}, "no UTF-8"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(tmp_path, faces, bad, message):
    with PackWriter(tmp_path / "pack") as writer, pytest.raises(DataError, match=message):
        writer.append(face(faces[0], **bad))


def test_composed_and_decomposed_accents_are_one_subject(tmp_path, faces):
    pack = write_pack(tmp_path / "pack", faces[:2], ["Zoe\u0308", "Zo\u00eb"])
    assert pack.info.subjects == 1


def test_faces_of_another_size_are_refused(tmp_path, faces):
    with PackWriter(tmp_path / "pack") as writer, pytest.raises(DataError, match="align the face first"):
        writer.append(face(faces[0, :64, :64]))


def test_vlr_images_are_for_all_or_for_none_and_of_one_size(tmp_path, faces):
    with PackWriter(tmp_path / "pack") as writer:
        writer.append(face(faces[0], vlr=faces[0, :16, :16]))
        with pytest.raises(DataError, match="for some faces and none for others"):
            writer.append(face(faces[1]))
        with pytest.raises(DataError, match=r"VLR image of uint8 \(12, 12, 3\)"):
            writer.append(face(faces[1], vlr=faces[1, :12, :12]))


def test_splits_must_name_each_row(tmp_path, faces, subjects):
    with pytest.raises(DataError, match="split superres: got 1 values"):
        write_pack(tmp_path / "pack", faces, subjects, superres=["train"])
    with pytest.raises(DataError, match="holdout"):
        write_pack(tmp_path / "pack", faces, subjects, recognition="holdout")
    assert content(tmp_path) == []


WRITER = """
import sys, time
import numpy as np
from lrface.data.pack.writer import PackWriter
from lrface.data.source import SourceFace
generator = np.random.default_rng(1)
with PackWriter(sys.argv[1], overwrite=True) as writer:
    for number in range(400):
        pixels = generator.integers(0, 256, (112, 112, 3), dtype=np.uint8)
        writer.append(SourceFace(f"a/{number}.png", "a", pixels, 112, 112))
        if number == 0:
            print("writing", flush=True)
    writer.commit(["train"] * 400, ["none"] * 400)
"""


def killed_writer(target: Path, seconds: float) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_killed_writer_leaves_no_half_pack_and_its_leftovers_go(tmp_path, faces, subjects):
    target = tmp_path / "pack"
    killed_writer(target, 0.0)
    assert not target.exists()
    assert len(content(tmp_path)) == 1
    write_pack(target, faces, subjects)
    assert content(tmp_path) == ["pack"]


def test_the_work_of_the_living_is_not_cleaned_away(tmp_path, faces, subjects):
    target = tmp_path / "pack"
    with PackWriter(target) as slow:
        slow.append(face(faces[0]))
        write_pack(target, faces, subjects)
        assert len(content(tmp_path)) == 2
        with pytest.raises(DataError, match="another pack"):
            slow.commit(["train"], ["none"])
    assert open_pack(target).info.rows == 20


def test_a_death_between_the_two_renames_is_mended(tmp_path, faces, subjects):
    pack = write_pack(tmp_path / "pack", faces, subjects)
    pack.root.rename(tmp_path / ".pack.0123abcd.replaced.partial")
    with PackWriter(tmp_path / "pack"):
        pass
    assert open_pack(tmp_path / "pack").digest == pack.digest
    assert content(tmp_path) == ["pack"]
