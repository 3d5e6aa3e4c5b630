import dataclasses
import os
import pickle

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lrface.errors import EvaluationError
from lrface.evaluation.public.insightface import read_verification_bin
from lrface.evaluation.public.low_resolution import read_survface, read_tinyface
from lrface.evaluation.public.opening import find_sets, read_set
from lrface.evaluation.public.pairs_txt import read_lfw_pairs, read_pair_table
from lrface.evaluation.public.published import published, published_network
from lrface.evaluation.public.records import with_published
from lrface.evaluation.public.report import make_public_report, summary_lines, wide_table
from lrface.evaluation.public.search import evaluate_search, search_set
from lrface.evaluation.public.sets import PairSet
from lrface.evaluation.public.settings import PairSettings
from lrface.evaluation.public.verification import PairEvaluation, evaluate_pairs
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
    plain = PairEvaluation(pairs).accuracy(arm)
    assert plain.mean == 1.0
    assert len(plain.accuracies) == 10
    assert PairEvaluation(pairs, settings=PairSettings(flip=True)).accuracy(arm).mean == 1.0
    for small in ("second", "both"):
        found = PairEvaluation(pairs, settings=PairSettings(small=small)).accuracy(arm, 8)
        assert 0.5 < found.mean <= 1.0
    with pytest.raises(EvaluationError, match="takes"):
        PairEvaluation(pairs).scores(arm, 500)


def test_scores_are_plain_cosines_of_the_unit_sum_of_face_and_mirror_image(pair_bin, world):
    pairs = read_verification_bin(pair_bin(4))
    images = torch.from_numpy(pairs.faces).permute(0, 3, 1, 2).float() / 255
    both = F.normalize(world.fine(images) + world.fine(images.flip(3))).numpy()
    wanted = (both[pairs.first] * both[pairs.second]).sum(axis=1)
    found = PairEvaluation(pairs, settings=PairSettings(flip=True)).scores(world.arm("x", world.fine))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_each_recogniser_sees_the_hr_faces_once(pair_bin, world):
    seen = []

    def counted(images):
        seen.append(len(images))
        return world.fine(images)

    pairs = read_verification_bin(pair_bin(4))
    arms = [world.ceiling("hr", counted), world.arm("bicubic", counted)]
    evaluate_pairs(pairs, arms, [8, 12])
    assert sum(seen) == len(pairs.faces) + 2 * len(np.unique(pairs.second))


def test_records_name_set_arm_and_size_and_say_what_cannot_be_told(pair_bin, world):
    steps = []
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine)]
    records = evaluate_pairs(read_verification_bin(pair_bin(4)), arms, [12], progress=lambda *told: steps.append(told))
    found = {entry.key(): entry for entry in records}
    accuracy = found["faces/hr/112/accuracy"]
    assert (accuracy.value, accuracy.n) == (1.0, 20)
    assert found["faces/bicubic/12/accuracy"].low <= found["faces/bicubic/12/accuracy"].value
    assert found["faces/hr/112/eer"].value == 0.0
    rare = found["faces/hr/112/tar_at_far_1e-3"]
    assert rare.value is None
    assert "too few" in rare.reason
    assert steps == [(1, 2), (2, 2)]


def test_published_figures_stand_beside_the_released_network_in_hr_alone(pair_bin, world):
    pairs = dataclasses.replace(read_verification_bin(pair_bin(4)), name="CFP-FP")
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine)]
    records = with_published(evaluate_pairs(pairs, arms, [12]), {"hr": published_network("/w/edgeface_xxs.pt")}, 112)
    said = {(entry.arm, entry.size): entry.published for entry in records if entry.metric == "accuracy"}
    assert said == {("hr", 112): 0.9363, ("bicubic", 12): None}
    assert list(wide_table(records, "CFP-FP")["published"]) == ["93.63 +-0.99", ""]
    assert published_network("models:/edgeface@finetuned") is None
    assert published_network("/w/mine.pt") is None
    assert published("edgeface_xxs", "agedb_30").accuracy == 0.9492
    assert published("edgeface_xxs", "mine") is None


def test_the_page_has_a_table_and_a_curve_per_set(pair_bin, world):
    pairs = read_verification_bin(pair_bin(4))
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine)]
    records = evaluate_pairs(pairs, arms, [8, 12])
    records += evaluate_pairs(dataclasses.replace(pairs, name="<other>"), arms, [8])
    report = make_public_report(records, about={"faces": "20 pairs"}, versions={"x": "y"}, licences=["none & all"])
    assert set(report.figures) == {"curve_faces", "curve_<other>"}
    assert report.page.count("data:image/png;base64,") == 2
    assert "<other>" not in report.page
    assert "none &amp; all" in report.page
    assert "http" not in report.page.replace("http-equiv", "")
    assert sum(line.startswith("bicubic") or " bicubic" in line for line in summary_lines(records)) == 3


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
        pickle.dumps(([b"a", b"b"], ["yes"])),
        b"\x80\x04c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.",
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
    assert PairEvaluation(pairs).accuracy(world.arm("bicubic", world.fine)).mean == 1.0


def test_photographs_need_an_alignment(lfw, faces):
    written(lfw / "lfw" / "P_0" / "P_0_0001.png", np.zeros((250, 250, 3), np.uint8))
    with pytest.raises(EvaluationError, match="250x250"):
        read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw")
    pairs = read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw", align=lambda photo, name: photo[:112, :112])
    assert not pairs.faces[pairs.first[0]].any()


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "numbers"),
        ("10 300\nonly two", "only two"),
        ("1 1\nNobody 1 2", "Nobody_0001"),
        ("² 1\nAnn 1 2", "numbers"),
    ],
)
def test_pairs_that_are_none_are_refused(lfw, text, got):
    (lfw / "pairs.txt").write_text(text)
    with pytest.raises(EvaluationError, match=got):
        read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw")
    with pytest.raises(EvaluationError, match="no such file"):
        read_lfw_pairs(lfw / "absent.txt", lfw / "lfw")


@pytest.mark.parametrize(
    ("head", "note"),
    [
        ("10 1", ""),
        ("10\t1", ""),
        ("10", ""),
        (
            "10 300",
            "10 x 300 pairs of each kind; there are 10 of one person and 10 of two, and these are read",
        ),
        ("9 1", "promises 9 x 1 pairs of each kind; there are 10 of one person and 10 of two"),
        ("20", "promises 1 x 20 pairs"),
        ("2 5", "promises 2 x 5 pairs of each kind; fold 1 has 10 of one person"),
    ],
)
def test_the_first_line_of_a_list_holds_what_it_promises_or_is_told(lfw, head, note):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    genuine = [line for line in lines[1:] if len(line.split()) == 3]
    impostor = [line for line in lines[1:] if len(line.split()) == 4]
    assert len(genuine) == len(impostor) == 10
    dealt = [line for both in zip(genuine, impostor, strict=True) for line in both]
    body = [*genuine, *impostor] if head == "2 5" else dealt
    (lfw / "pairs.txt").write_text("\n".join([head, *body]) + "\n")
    notes = []
    pairs = read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw", notes=notes)
    assert pairs.same.tolist() == [len(line.split()) == 3 for line in body]
    assert len(notes) == bool(note)
    assert not note or note in notes[0]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['"a.png,b.png,1', *["a.png,b.png,0"] * 20_000], "line .*field larger than field limit"),
        (["a" * 300 + ".png,b.png,1"], "line 1: got a path longer than paths can be"),
    ],
)
def test_a_table_of_pairs_with_a_loose_quote_is_one_line(tmp_path, lines, said):
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    with pytest.raises(EvaluationError, match=said):
        read_pair_table(tmp_path / "pairs.csv", tmp_path)


def test_a_picture_paired_with_itself_is_told(lfw):
    lines = (lfw / "pairs.txt").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if place and len(line.split()) == 3)
    person, one, _ = lines[first].split()
    lines[first] = f"{person}\t{one}\t{one}"
    (lfw / "pairs.txt").write_text("\n".join(lines) + "\n")
    notes = []
    read_lfw_pairs(lfw / "pairs.txt", lfw / "lfw", notes=notes)
    assert notes == [
        f"pairs.txt: 1 of {len(lines) - 1} pairs are of a picture with itself, which every network gets right"
    ]


def table_of(folder, faces, order):
    for number, face in enumerate(faces):
        written(folder / f"{number}.png", face)
    lines = ["first,second,same", *(f"{one}.png,{other}.png,{flag}" for one, other, flag in order)]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")


def test_a_table_of_pairs_is_dealt_out_to_its_folds(tmp_path, faces, world):
    genuine = [(2 * subject, 2 * subject + 1, 1) for subject in range(10)]
    impostor = [(2 * subject, (2 * subject + 5) % 20, 0) for subject in range(10)]
    table_of(tmp_path, faces, [*genuine, *impostor])
    pairs = read_pair_table(tmp_path / "pairs.csv", tmp_path)
    assert pairs.same.reshape(10, 2).sum(axis=1).tolist() == [1] * 10
    for one, other, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
        assert same == shows_one_person(pairs, faces, one, other)
    assert PairEvaluation(pairs).accuracy(world.arm("x", world.fine)).mean == 1.0


def shows_one_person(pairs, faces, one, other):
    """Whether two rows of a set show pictures of one subject of `faces`, found by their pixels."""
    numbers = [
        next(n for n, face in enumerate(faces) if np.array_equal(face, pairs.faces[row])) for row in (one, other)
    ]
    return numbers[0] // 2 == numbers[1] // 2


@pytest.mark.parametrize(
    ("text", "got"), [("", "no pair"), ("0.png,1.png,1\n0.png,1", "line 2"), ("../0.png,1.png,1", "no picture")]
)
def test_tables_that_are_none_are_refused(tmp_path, faces, text, got):
    inner = tmp_path / "inner"
    table_of(inner, faces[:2], [])
    written(tmp_path / "0.png", faces[0])
    (inner / "pairs.csv").write_text(text)
    with pytest.raises(EvaluationError, match=got):
        read_pair_table(inner / "pairs.csv", inner)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("0.png,1.png,1\n0.png,2.png,0", ""),
        ("file1, file2, same\n0.png, 1.png, 1\n0.png ,2.png,0", ""),
        ("0.png,1.png,1.0\n0.png,2.png,0.0", "2 flags are written 1.0 or 0.0"),
        ("0.png,1.png,True\n0.png,2.png,False", ""),
        ("0.png,1.png,1,\n0.png,2.png,0,", "2 lines end in a comma"),
        ("below\\0.png,1.png,1\n0.png,2.png,0", "1 paths have backslashes"),
    ],
)
def test_tables_as_people_have_them_are_read_and_told(tmp_path, faces, text, note):
    table_of(tmp_path, faces[:3], [])
    written(tmp_path / "below" / "0.png", faces[0])
    (tmp_path / "pairs.csv").write_text(text)
    notes = []
    pairs = read_pair_table(tmp_path / "pairs.csv", tmp_path, notes=notes)
    assert sorted(pairs.same.tolist()) == [False, True]
    assert len(notes) == bool(note)
    assert not note or note in notes[0]


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("0.png;1.png;1", "columns apart by semicolons"),
        ("a;b;same\n0.png;1.png;1", "columns apart by semicolons"),
        ("0.png\t1.png\t1", "columns apart by tabs"),
        ("same,a,b\n1,0.png,1.png", "under the head 'same,a,b'"),
        ("0.png,1.png,same person", r"'0\.png,1\.png,same person'.*expected file,file,1 or 0"),
        ("C:\\faces\\0.png,1.png,1", r"no picture C:\\faces\\0\.png.*have slashes"),
    ],
)
def test_tables_that_mean_something_else_say_what_they_have(tmp_path, faces, text, got):
    table_of(tmp_path, faces[:3], [])
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(EvaluationError, match=got):
        read_pair_table(tmp_path / "pairs.csv", tmp_path)


def test_a_set_with_a_flag_too_few_says_how_many(tmp_path):
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([b"a", b"b", b"c", b"d"], [True])))
    with pytest.raises(EvaluationError, match="got 4 pictures for 1 flags; expected two pictures per flag, 2"):
        read_verification_bin(path)


def test_sets_are_found_by_their_files(lfw, pair_bin, tmp_path, faces):
    bins = pair_bin(4)
    (tmp_path / "lfw" / "pairs.txt").write_text((lfw / "pairs.txt").read_text())
    assert [entry.kind for entry in find_sets(bins)] == ["bin"]
    assert [entry.path for entry in find_sets(bins.parent)] == [bins]
    bins.unlink()
    for source, name in ((lfw / "lfw", "lfw"), (lfw, lfw.name), (lfw / "pairs.txt", "pairs")):
        (found,) = find_sets(source)
        pairs = read_set(found)
        assert (found.kind, pairs.name, len(pairs.same)) == ("lfw", name, 20)
    moved = tmp_path / "elsewhere" / "pairs.txt"
    moved.parent.mkdir()
    moved.write_text((lfw / "pairs.txt").read_text())
    assert len(read_set(find_sets(moved)[0], images=lfw / "lfw").same) == 20
    for path in (tmp_path / "absent", tmp_path / "lfw" / "P_0"):
        with pytest.raises(EvaluationError, match=r"no such|nothing that is known"):
            find_sets(path)


def test_the_digest_changes_with_pixels_and_pairs(pair_bin):
    pairs = read_verification_bin(pair_bin(4))
    other = pairs.faces.copy()
    other[3, 0, 0, 0] ^= 1
    assert isinstance(pairs, PairSet)
    digests = {
        pairs.digest,
        dataclasses.replace(pairs, faces=other).digest,
        dataclasses.replace(pairs, same=~pairs.same).digest,
        dataclasses.replace(pairs, folds=5).digest,
    }
    assert len(digests) == 4


def test_tinyface_searches_among_distractors(faces, tmp_path, world):
    base = tmp_path / "Testing_Set"
    for subject in range(4):
        written(base / "Gallery_Match" / f"{subject}_1.png", faces[2 * subject], 24)
        written(base / "Probe" / f"{subject}_2.png", faces[2 * subject + 1], 18)
    for subject in range(5, 9):
        written(base / "Gallery_Distractor" / f"d{subject}.png", faces[2 * subject], 20)
    arm = world.arm("bicubic", world.fine)
    found, strangers = search_set(read_tinyface(tmp_path, []), [arm], 20)["bicubic"]
    assert rank_rate(found, 1) == 1.0
    assert strangers.size == 0
    assert found.rank.size == 4


def test_survface_has_strangers_too(faces, tmp_path, world):
    for subject in range(4):
        written(tmp_path / "gallery" / f"{subject}_cam1_1.png", faces[2 * subject], 24)
        written(tmp_path / "mated_probe" / f"{subject}_cam2_1.png", faces[2 * subject + 1], 24)
        written(tmp_path / "unmated_probe" / f"{subject + 5}_cam3_1.png", faces[2 * subject + 10], 24)
    steps = []
    arm = world.arm("bicubic", world.fine)
    found, strangers = search_set(read_survface(tmp_path, []), [arm], 20, progress=lambda *told: steps.append(told))[
        "bicubic"
    ]
    assert rank_rate(found, 1) == 1.0
    assert strangers.size == 4
    assert strangers.max() < found.mate.min()
    assert steps[-1] == (12, 12)
    (kind,) = find_sets(tmp_path)
    arms = [world.ceiling("hr", world.fine), arm]
    records = {entry.key(): entry for entry in evaluate_search(read_set(kind), arms, [16, 20])}
    assert {entry.arm for entry in records.values()} == {"bicubic"}
    assert records["survface/bicubic/20/rank1"].value == 1.0
    assert records["survface/bicubic/20/tpir_at_fpir_3e-1"].value == 1.0
    assert "non-mated probes" in records["survface/bicubic/20/tpir_at_fpir_1e-2"].reason
    assert "rank1" in wide_table(list(records.values()), "survface")
    (tmp_path / "mated_probe" / "77_cam2_1.png").write_bytes(encoded(faces[0]))
    with pytest.raises(EvaluationError, match="77_cam2"):
        read_survface(tmp_path, [])
    with pytest.raises(EvaluationError, match="no such folder"):
        read_tinyface(tmp_path, [])


def test_what_macos_leaves_beside_a_set_is_none(pair_bin):
    path = pair_bin(4)
    path.with_name("._faces.bin").write_bytes(b"\0\5\x16\7")
    assert [found.path for found in find_sets(path.parent)] == [path]


def test_two_pictures_of_one_name_are_refused(tmp_path, faces):
    (tmp_path / "ann").mkdir()
    for suffix in (".png", ".PNG"):
        cv2.imwrite(str(tmp_path / "ann" / f"ann_0001{suffix}"), faces[0])
    (tmp_path / "pairs.txt").write_text("1 1\nann 1 1\n")
    with pytest.raises(EvaluationError, match=r"ann_0001\.PNG and ann_0001\.png"):
        read_lfw_pairs(tmp_path / "pairs.txt", tmp_path)


def test_both_faces_small_stand_beside_one_of_them(pair_bin, world):
    pairs = read_verification_bin(pair_bin(4))
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine)]

    def measured(small):
        found = evaluate_pairs(pairs, arms, [8], settings=PairSettings(small=small, fars=(0.1,)))
        return {entry.key(): entry.value for entry in found}

    each, second, both = (measured(small) for small in ("each", "second", "both"))

    assert {key for key in each if key.startswith("faces/")} == set(second)
    assert all(each[key] == value for key, value in second.items())
    wanted = {key.replace("faces/", "faces_both_small/"): value for key, value in both.items() if "/hr/" not in key}
    assert {key: value for key, value in each.items() if key.startswith("faces_both_small/")} == wanted
