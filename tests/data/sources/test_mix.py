import pytest

from lrface.data.prepare import prepare
from lrface.data.settings import CheckSettings, ReadSettings, SplitSettings
from lrface.data.source import Report
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.mix import MixSource, Part
from lrface.data.sources.procedural import ProceduralSource
from lrface.errors import ConfigError
from lrface.images.procedural import ProceduralSettings


def drawn(subjects: int = 2, images: int = 2) -> ProceduralSource:
    return ProceduralSource(ProceduralSettings(subjects=subjects, images_per_subject=images), workers=1)


def test_drawn_faces_are_a_source():
    report = Report()
    faces = list(drawn().items(report))
    assert [face.source for face in faces] == ["p0001/001.png", "p0001/002.png", "p0002/001.png", "p0002/002.png"]
    assert report.faces == drawn().count() == 4
    assert faces[0].pixels.std() > 10
    assert drawn().describe()["subjects"] == 2


def test_a_mix_keeps_its_parts_apart(write_folder, tmp_path):
    folder = FolderSource(write_folder(), ReadSettings())
    mix = MixSource([Part("real", folder, licence="free"), Part("drawn", drawn(), "train", "none")])
    pack, summary = prepare(mix, tmp_path / "pack", SplitSettings(test_subjects=1, val_subjects=1), CheckSettings())
    assert mix.count() == len(pack) == 24
    is_drawn = pack.manifest["subject"].str.startswith("drawn/")
    assert set(pack.manifest["superres"][is_drawn]) == {"train"}
    assert set(pack.manifest["recognition"][is_drawn]) == {"none"}
    assert set(pack.manifest["superres"][~is_drawn]) == {"train", "val", "test"}
    assert pack.manifest["source"][0] == "real/p0/1.png"
    assert pack.info.made["source"]["parts"]["real"]["licence"] == "free"
    assert summary.report.alignment == {"as_is": 24}


def test_problems_and_notes_carry_the_name_of_their_part(write_folder):
    root = write_folder()
    (root / "p1" / "2.png").write_bytes(b"")
    (root / "list.txt").write_text("")
    report = Report()
    mix = MixSource([Part("real", FolderSource(root, ReadSettings(on_bad_image="skip")))])
    assert len(list(mix.items(report))) == 19
    assert [(problem.source, problem.subject) for problem in report.problems] == [("real/p1/2.png", "real/p1")]
    assert report.notes == ["real: files that are no pictures by their suffix were left out: 1 .txt"]
    assert mix.folders() == (root.resolve(),)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "the names"),
        ([("a", None, None), ("a", None, None)], "different names"),
        ([("a/b", None, None)], "without a slash"),
        ([("a", "holdout", None)], "superres 'holdout'"),
        ([("a", None, "test")], "recognition 'test'"),
        ([("a", "test", "train")], "test subjects in no training"),
    ],
)
def test_unfit_mixes_are_refused(parts, message):
    with pytest.raises(ConfigError, match=message):
        MixSource([Part(name, drawn(), superres, recognition) for name, superres, recognition in parts])
