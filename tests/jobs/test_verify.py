"""`verify`: public sets made of drawn faces, in the formats in which their publishers give them."""

import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from lrface.images.procedural import ProceduralSettings, render_faces

QUICK = ("--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle")
PEOPLE = 4


@pytest.fixture(scope="module")
def drawn():
    """Three pictures each of four people."""
    settings = ProceduralSettings(subjects=PEOPLE, images_per_subject=3, seed=9)
    return {(subject, image): np.asarray(pixels) for subject, image, pixels in render_faces(settings, workers=1)}


@pytest.fixture(scope="module")
def sets(drawn, tmp_path_factory):
    """lfw.bin and agedb_30.bin, an LFW folder, TinyFace and SurvFace."""
    root = tmp_path_factory.mktemp("public")

    def save(path, face, side=112):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).resize((side, side)).save(path)

    def encoded(face):
        stream = io.BytesIO()
        Image.fromarray(face).save(stream, "PNG")
        return stream.getvalue()

    pictures, flags, lines = [], [], ["5\t2"]
    for turn in range(20):
        one, same = turn % PEOPLE, turn % 2 == 0
        other = one if same else (one + 1) % PEOPLE
        pictures += [encoded(drawn[one, 0]), encoded(drawn[other, 1 + turn % 2])]
        flags.append(same)
        lines.append(f"P{one}\t1\t{2 + turn % 2}" if same else f"P{one}\t1\tP{other}\t{2 + turn % 2}")
    (root / "bins").mkdir()
    for name in ("lfw", "agedb_30"):
        (root / "bins" / f"{name}.bin").write_bytes(pickle.dumps((pictures, flags), protocol=2))
    for (subject, image), face in drawn.items():
        save(root / "mine" / "pictures" / f"P{subject}" / f"P{subject}_{image + 1:04d}.png", face)
        part = ("gallery", "mated_probe", "mated_probe")[image] if subject < 3 else "unmated_probe"
        save(root / "survface" / part / f"{subject}_cam{image}_1.png", face, 20)
        part = ("Gallery_Match", "Probe", "Probe")[image] if subject < 3 else "Gallery_Distractor"
        save(root / "tinyface" / "Testing_Set" / part / f"{subject}_{image}.png", face, 18 + image)
    (root / "mine" / "pairs.txt").write_text("\n".join(lines) + "\n")
    return root


def test_sets_of_all_kinds_are_measured_at_once(job, project, sets, tmp_path):
    sources = ",".join(str(sets / name) for name in ("bins", "mine", "tinyface", "survface"))
    ended = job(
        "verify", "--source", sources, *QUICK, "--out", str(tmp_path), "--overrides", "sizes=[12] pairs.flip=true"
    )

    assert ended.code == 0, ended.err
    records = json.loads((tmp_path / "metrics.json").read_text())
    cells = {(record["set"], record["arm"], record["size"]) for record in records}
    pairs, arms = {"lfw", "agedb_30", "mine"}, {("hr", 112), ("bicubic", 12), ("dsr", 12)}
    assert cells == {(name, *arm) for name in pairs for arm in arms} | {
        (name, arm, 12) for name in ("tinyface", "survface") for arm in ("bicubic", "dsr")
    }
    by_key = {tuple(record[name] for name in ("set", "arm", "size", "metric")): record["value"] for record in records}
    assert by_key["lfw", "hr", 112, "accuracy"] == by_key["agedb_30", "hr", 112, "accuracy"]
    assert all(0 <= value <= 1 for key, value in by_key.items() if key[3] == "accuracy")
    metrics = project.run("verify").data.metrics
    assert metrics["verify/mine/dsr/12/accuracy"] == by_key["mine", "dsr", 12, "accuracy"]
    assert {"verify/tinyface/bicubic/12/rank1", "verify/survface/dsr/12/false_alarm"} <= set(metrics)
    assert {"report.html", "metrics.json", "curve_lfw.png"} <= project.artifacts(project.run("verify"), "verify")
    assert "lfw, per cent:" in ended.out


def test_the_published_figure_stands_beside_a_released_network(job, project, sets, tmp_path):
    weights = tmp_path / "weights"
    assert job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(weights)).code == 0
    (weights / "edgeface").rename(weights / "edgeface_xxs")

    ended = job(
        *("verify", "--source", str(sets / "bins" / "lfw.bin"), "--edgeface", str(weights / "edgeface_xxs")),
        *("--dsr", "none", "--out", str(tmp_path / "out"), "--overrides", "sizes=[]"),
    )

    assert ended.code == 0, ended.err
    (said,) = {
        (record["arm"], record["size"], record["published"])
        for record in json.loads((tmp_path / "out" / "metrics.json").read_text())
        if record["metric"] == "accuracy"
    }
    assert said == ("hr", 112, 0.9957)
    assert "99.57 +-0.33" in ended.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("", "source: got nothing"),
        ("--source SETS/absent", "no such file or folder"),
        ("--source SETS", "nothing that is known"),
        ("--source SETS/mine --kind bins", "kind"),
        ("--source SETS/mine --overrides degradation=fog", "fog"),
        ("--source SETS/mine,SETS/mine", "two sets called mine"),
        ("--source SETS/mine --overrides images=SETS/bins", "no picture P0_0001"),
        ("--source SETS/bins --overrides sizes=[400]", "sizes"),
        ("--source SETS/mine --overrides align.mode=yunet", "detector"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(job, project, sets, arguments, named):
    line = job("verify", *QUICK, *arguments.replace("SETS", str(sets)).split()).refused()

    assert named in line


@pytest.mark.real
def test_photographs_are_aligned_where_asked_for(job, project, drawn, sets, real_folder, tmp_path):
    """Drawn heads in the middle of a larger picture: YuNet has to find them."""
    for path in (sets / "mine" / "pictures").rglob("*.png"):
        target = tmp_path / "set" / "pictures" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as face:
            larger = Image.new("RGB", (250, 250), (90, 110, 130))
            larger.paste(face, (69, 60))
            larger.save(target)
    (tmp_path / "set" / "pairs.txt").write_text((sets / "mine" / "pairs.txt").read_text())
    plain = job("verify", "--source", str(tmp_path / "set"), *QUICK).refused()
    assert "250x250" in plain
    assert "align.mode=yunet" in plain

    weights = real_folder / "weights" / "face_detection_yunet_2023mar.onnx"
    ended = job(
        *("verify", "--source", str(tmp_path / "set"), *QUICK, "--overrides"),
        f"sizes=[] align.mode=yunet align.on_no_face=centre align.detector.weights={weights}",
    )

    assert ended.code == 0, ended.err
    assert "set, per cent:" in ended.out


def test_many_people_are_searched_for_among_each_other(job, project, sets, tmp_path):
    ended = job(
        *("verify", "--source", str(sets / "mine" / "pictures"), "--kind", "people", *QUICK),
        *("--out", str(tmp_path), "--overrides", "sizes=[12] degradation=misaligned"),
    )

    assert ended.code == 0, ended.err
    records = json.loads((tmp_path / "metrics.json").read_text())
    cells = {(record["arm"], record["size"]) for record in records if record["metric"] == "rank1"}
    assert cells == {("hr", 112), ("bicubic", 12), ("dsr", 12)}
    assert "shifted by 1 pixel of the small face" in (tmp_path / "report.html").read_text()
