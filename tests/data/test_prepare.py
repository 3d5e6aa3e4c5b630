import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from lrface.data.pack.pack import open_pack
from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, DetectorSettings, ReadSettings, SplitSettings
from lrface.data.sources.folder import FolderSource
from lrface.errors import ConfigError, DataError

SPLITS = SplitSettings(test_subjects=1, val_subjects=1)


def make(root, out, *, splits=SPLITS, checks=None, read=None, **more):
    return prepare(FolderSource(root, read or ReadSettings()), out, splits, checks or CheckSettings(), **more)


def test_a_folder_becomes_a_pack(write_folder, tmp_path, faces):
    seen = []
    pack, summary = make(
        write_folder(), tmp_path / "pack", licence="CC0", terms="none", progress=lambda *step: seen.append(step)
    )
    assert np.array_equal(pack.faces, faces)
    assert pack.manifest["superres"].value_counts().to_dict() == {"train": 10, "val": 5, "test": 5}
    assert pack.manifest["recognition"].value_counts().to_dict() == {"train": 12, "none": 5, "val": 3}
    assert pack.info.licence == "CC0"
    assert pack.info.made["source"]["kind"] == "folder"
    assert pack.info.made["summary"]["subjects"] == 4
    assert seen == [(done, 20) for done in range(1, 21)]
    assert "4 subjects, 20 images" in summary.lines()
    json.dumps(summary.as_dict())


def test_every_subject_is_test_where_a_source_is_only_judged(write_folder, tmp_path):
    pack, _ = make(write_folder(), tmp_path / "pack", splits=SplitSettings(all_test=True))
    assert set(pack.manifest["superres"]) == {"test"}
    assert set(pack.manifest["recognition"]) == {"none"}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_digest_is_the_same_wherever_and_however(write_folder, tmp_path, workers):
    root = write_folder()
    expected = make(root, tmp_path / "pack")[0].digest
    moved = tmp_path / "elsewhere" / "under another name"
    moved.parent.mkdir()
    shutil.copytree(root, moved)
    pack, _ = make(moved, tmp_path / "other", read=ReadSettings(workers=workers))
    assert pack.digest == expected


def test_doing_it_again_changes_nothing(write_folder, tmp_path):
    root = write_folder()
    make(root, tmp_path / "pack")
    before = (tmp_path / "pack" / "faces.npy").stat()
    make(root, tmp_path / "pack")
    after = (tmp_path / "pack" / "faces.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_skipped_files_stand_in_the_summary(write_folder, tmp_path):
    root = write_folder()
    (root / "p2" / "4.png").write_bytes(b"rubbish")
    pack, summary = make(root, tmp_path / "pack", read=ReadSettings(on_bad_image="skip"))
    assert len(pack) == 19
    assert summary.report.skipped_by_subject() == {"p2": 1}
    assert pack.info.made["summary"]["skipped_files"] == ["p2/4.png"]
    assert "skipped: 1 broken" in summary.lines()


def test_copies_within_a_subject_stay_in_one_recognition_split(write_folder, tmp_path):
    root = write_folder(counts=(8,))
    for copy in range(4):
        shutil.copy(root / "p0" / "1.png", root / "p0" / f"copy{copy}.png")
    pack, summary = make(root, tmp_path / "pack", splits=SplitSettings())
    same = pack.manifest[pack.manifest["sha256"] == pack.manifest["sha256"].iloc[0]]
    assert len(same) == 5
    assert same["recognition"].nunique() == 1
    assert [finding.kind for finding in summary.findings] == ["duplicate"]


def spoil_broken(root, faces):
    (root / "p1" / "2.png").write_bytes(b"rubbish")


def spoil_constant(root, faces):
    cv2.imwrite(str(root / "p1" / "2.png"), np.full((112, 112, 3), 90, np.uint8))


def spoil_copy(root, faces):
    shutil.copy(root / "p0" / "1.png", root / "p1" / "9.png")


def spoil_near_copy(root, faces):
    cv2.imwrite(str(root / "p1" / "9.jpg"), faces[0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_broken, r"p1/2\.png: got text \('rubbish'\)"),
        (spoil_constant, r"1 faces of one level: p1/2\.png"),
        (spoil_copy, r"the same picture under two subjects: p0/1\.png = p1/9\.png"),
        (spoil_near_copy, r"nearly the same picture under two subjects: p0/1\.png = p1/9\.jpg"),
    ],
)
def test_a_bad_source_changes_nothing_on_disk(write_folder, tmp_path, faces, spoil, message):
    root = write_folder()
    good, _ = make(root, tmp_path / "out" / "pack")
    spoil(root, faces)
    with pytest.raises(DataError, match=message):
        make(root, tmp_path / "out" / "pack", overwrite=True)
    with pytest.raises(DataError, match=message):
        make(root, tmp_path / "new" / "pack")
    assert open_pack(tmp_path / "out" / "pack").digest == good.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pack"]


def test_a_source_of_which_nothing_is_left(write_folder, tmp_path):
    root = write_folder(counts=(1, 1))
    for person in ("p0", "p1"):
        (root / person / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no face at all \(2 empty; first: p0/1\.png"):
        make(root, tmp_path / "pack", read=ReadSettings(on_bad_image="skip"))


def test_the_pack_may_not_lie_in_its_source(write_folder):
    root = write_folder()
    for place in (root, root / "pack"):
        with pytest.raises(ConfigError, match="a place inside the source"):
            make(root, place)


def test_more_test_subjects_than_there_are(write_folder, tmp_path):
    with pytest.raises(ConfigError, match="4 for test"):
        make(write_folder(), tmp_path / "pack", splits=SplitSettings(test_subjects=4))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


KILLS = 20
KILLER = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from lrface.data.checks.checks import CheckSettings
from lrface.data.files.reader import ReadSettings
from lrface.data.sources.folder import FolderSource
from lrface.data.pack.pack import open_pack
from lrface.data.prepare import prepare
from lrface.data.pack.splits import SplitSettings

def start(out, seeds):
    child = os.fork()
    if child == 0:
        try:
            for seed in seeds:
                splits = SplitSettings(seed=seed)
                prepare(FolderSource(root, ReadSettings()), out, splits, CheckSettings(), overwrite=True)
            os._exit(0)
        finally:
            os._exit(1)
    return child

root, out, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
begin = time.monotonic()
assert os.waitpid(start(out.parent / "trial", [0]), 0)[1] == 0
needed = time.monotonic() - begin
for moment in np.random.default_rng(5).uniform(0, 2 * needed, kills):
    child = start(out, range(1000))
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), status
    if out.exists():
        assert len(open_pack(out)) == 20
"""


def test_killed_at_any_moment_there_is_no_pack_or_a_whole_one(write_folder, tmp_path):
    root, out = write_folder(), tmp_path / "out" / "pack"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLER, str(root), str(out), str(KILLS)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    pack, _ = make(root, out, overwrite=True)
    assert sorted(path.name for path in out.parent.iterdir()) == ["pack", "trial"]
    assert len(open_pack(out)) == len(pack) == 20


@pytest.mark.real
def test_the_real_faces(real_folder, tmp_path):
    pack, summary = make(
        real_folder / "faces_aligned", tmp_path / "pack", splits=SplitSettings(test_subjects=6, val_subjects=2)
    )
    assert (len(pack), pack.info.subjects) == (197, 20)
    assert summary.splits.superres["test"]["subjects"] == 6
    assert {finding.kind for finding in summary.findings} == {"all_grey"}


@pytest.mark.real
def test_the_real_photographs_align_to_the_real_faces(real_folder, tmp_path):
    detector = DetectorSettings(weights=str(real_folder / "weights" / "face_detection_yunet_2023mar.onnx"))
    read = ReadSettings(align=AlignSettings(mode="yunet", detector=detector))
    pack, summary = make(real_folder / "faces_raw", tmp_path / "pack", read=read)
    assert summary.report.skipped_by_subject() == {"s1": 2, "s2": 1}
    assert len(pack) == 197
    for row, source in enumerate(pack.manifest["source"]):
        subject, _, name = source.partition("/")
        expected = cv2.imread(str(real_folder / "faces_aligned" / subject / f"{int(name[:-4]):02d}.png"))
        assert np.abs(pack.faces[row].astype(int) - expected).max() <= 1
