import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Cell, load_results
from lrface.evaluation.figures.run import embed_high, evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.conditions import clean, conditions
from lrface.evaluation.protocol.protocol import Part
from lrface.evaluation.settings import EvaluationSettings
from lrface.images.ranges import to_float
from lrface.metrics.lpips import Lpips
from lrface.metrics.verification import roc, tar_at_far

QUICK = EvaluationSettings(replicates=100)


@pytest.fixture(scope="module")
def found(small):
    faces, protocol, arms, quick = small
    return evaluate(faces, protocol, arms, [8, 16], settings=quick)


def test_each_arm_has_its_cells_and_the_ceiling_one(found):
    assert found.arms == ("hr", "bicubic", "bicubic-coarse")
    assert Cell("hr", 112, "clean") in found.cells
    assert len(found.cells) == 5


def test_figures_agree_with_a_plain_computation(found, small, world):
    faces, protocol, _, _ = small
    images = to_float(faces)
    probes = world.fine(bicubic(clean(images, 8)))
    high = world.fine(images)
    scores = (high[list(protocol.gallery.rows)] @ probes[list(protocol.mated.rows)].T).numpy()
    enrolled = np.array(protocol.gallery.subjects)
    right = enrolled[scores.argmax(axis=0)] == np.array(protocol.mated.subjects)
    assert found.find("bicubic", 8, "rank1").value == pytest.approx(right.mean())
    named = scores.max(axis=0) >= 0.35
    assert found.find("bicubic", 8, "correct").value == pytest.approx((named & right).mean())
    subjects = np.empty(len(faces), object)
    subjects[list(protocol.pairs.rows)] = protocol.pairs.subjects
    same = subjects[:, None] == subjects[None]
    apart = ~np.eye(len(faces), dtype=bool)
    every = (high @ probes.T).numpy()
    expected = tar_at_far(every[same & apart], every[~same], 0.01)
    assert found.find("bicubic", 8, "tar_at_far_1e-2").value == pytest.approx(expected.value, abs=1e-6)
    assert found.find("bicubic", 8, "impostor").value == pytest.approx(every[~same].mean(), abs=1e-5)
    assert found.find("bicubic", 8, "similarity").value == pytest.approx(float((high * probes).sum(1).mean()), abs=1e-5)
    curve = roc(every[same & apart], every[~same])
    np.testing.assert_allclose(found.cell("bicubic", 8).tar, curve.tar, atol=1e-2)


def test_psnr_falls_on_the_right_faces_whatever_the_order_of_rows(world):
    faces, names, paths = world.make_faces(subjects=4, images=3)
    shuffled = np.random.default_rng(0).permutation(len(names))
    protocol = world.protocol_of([names[k] for k in shuffled], [paths[k] for k in shuffled])
    found = evaluate(faces[shuffled], protocol, [Arm("bicubic", world.fine, bicubic)], [16], settings=QUICK)
    rows = list(protocol.pairs.rows)
    images = to_float(faces[shuffled][rows])
    error = (bicubic(clean(images, 16)) - images).double().square().mean(dim=(1, 2, 3))
    np.testing.assert_allclose(found.cell("bicubic", 16).psnr, -10 * np.log10(error.numpy()), atol=1e-4)


def test_correct_wrong_unknown_sum_to_one_and_the_subjects_average_to_them(found):
    for cell in found.cells:
        shares = [found.find(cell.arm, cell.size, name).value for name in ("correct", "wrong", "unknown")]
        assert sum(shares) == pytest.approx(1.0)
        rows = found.subjects[(found.subjects["arm"] == cell.arm) & (found.subjects["size"] == cell.size)]
        assert np.average(rows["accuracy"], weights=rows["probes"]) == pytest.approx(shares[0])


def test_hr_is_its_own_original(found):
    assert found.find("hr", 112, "similarity").value == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(EvaluationError, match="no psnr"):
        found.find("hr", 112, "psnr")


def test_strangers_are_made_by_leaving_one_subject_out(found):
    kept = found.cell("bicubic", 8)
    np.testing.assert_array_equal(kept.strangers, kept.mated.stranger)
    expected = np.mean(kept.strangers >= 0.35)
    assert found.find("bicubic", 8, "false_alarm").value == pytest.approx(expected)


def test_what_cannot_be_told_is_null_with_a_note(found):
    entry = found.find("bicubic", 8, "tpir_at_fpir_3e-3")
    assert entry.value is None
    assert entry.low is None
    assert any("tpir_at_fpir_3e-3" in note and "too few" in note for note in found.notes)


def test_it_is_read_back_as_written(found, tmp_path):
    written = found.save(tmp_path / "out")
    assert all(path.is_file() for path in written)
    back = load_results(tmp_path / "out")
    assert back.records == found.records
    assert back.protocol == found.protocol
    assert back.cells == found.cells
    pd.testing.assert_frame_equal(back.subjects, found.subjects.reset_index(drop=True), check_exact=True)
    for cell in found.cells:
        np.testing.assert_array_equal(back.kept[cell].mated.rank, found.kept[cell].mated.rank)
        assert set(back.kept[cell].replicates) == set(found.kept[cell].replicates)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"nothing",
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:200] + bytes(200) + data[400:],
        lambda data: data[:40] + b"\xff" + data[41:],
    ],
)
@pytest.mark.parametrize("name", ["scores.npz", "metrics.json", "notes.json", "protocol.json"])
def test_what_is_damaged_is_one_line(found, tmp_path, name, damage):
    found.save(tmp_path)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EvaluationError, match=r"evaluate again|as `evaluate` writes it") as caught:
        load_results(tmp_path)
    assert "\n" not in str(caught.value)


def test_people_are_read_back_by_whatever_name(found, tmp_path):
    people = found.subjects.copy()
    names = dict(zip(people["subject"].unique(), ["NA", "1e3000000000", "007", "null"], strict=False))
    people["subject"] = people["subject"].replace(names)
    replace(found, subjects=people).save(tmp_path)
    assert load_results(tmp_path).subjects["subject"].tolist() == people["subject"].tolist()


def test_the_same_seed_gives_the_same_records_and_batches_do_not_matter(small, found):
    faces, protocol, arms, quick = small
    again = evaluate(faces, protocol, arms, [8, 16], settings=quick.model_copy(update={"batch": 5}))
    for ours, theirs in zip(found.records, again.records, strict=True):
        assert (ours.metric, ours.n) == (theirs.metric, theirs.n)
        if ours.value is not None:
            assert ours.value == pytest.approx(theirs.value, abs=1e-5)


def test_calibration_and_strangers_come_from_subjects_set_aside(world):
    faces, names, paths = world.make_faces(subjects=20, images=3)
    protocol = world.protocol_of(names, paths, split_from=20)
    settings = EvaluationSettings(replicates=100, calibration_fpir=0.1)
    found = evaluate(faces, protocol, [Arm("bicubic", world.fine, bicubic)], [12], settings=settings)
    kept = found.cell("bicubic", 12)
    assert found.find("bicubic", 12, "threshold_calibrated").value == pytest.approx(kept.calibrated_threshold)
    assert len(kept.strangers) == len(protocol.non_mated)
    alarm = np.mean(kept.strangers >= kept.calibrated_threshold)
    assert found.find("bicubic", 12, "false_alarm_calibrated").value == pytest.approx(alarm)


def test_too_few_calibration_probes_are_told(world):
    faces, names, paths = world.make_faces(subjects=20, images=3)
    protocol = world.protocol_of(names, paths, split_from=20)
    found = evaluate(faces, protocol, [Arm("bicubic", world.fine, bicubic)], [12], settings=QUICK)
    assert any("threshold_calibrated: too few: 12" in note for note in found.notes)


def test_a_gallery_enrolled_by_another_network_is_searched_as_it_is(small, world):
    faces, protocol, _, quick = small

    def turned(images):
        return world.fine(images).flip(1)

    arms = [Arm("same", world.fine, bicubic), Arm("old_gallery", world.fine, bicubic, gallery_embedder=turned)]
    found = evaluate(faces, protocol, arms, [16], settings=quick)
    assert found.find("old_gallery", 16, "rank1").value < found.find("same", 16, "rank1").value


def test_all_arms_see_the_same_small_faces(small, world):
    faces, protocol, _, quick = small
    generator = torch.Generator().manual_seed(0)

    def unsteady(images, size):
        return (clean(images, size) + 0.1 * torch.rand(images.shape[0], 3, size, size, generator=generator)).clamp(0, 1)

    arms = [Arm("one", world.fine, bicubic), Arm("two", world.fine, bicubic)]
    found = evaluate(faces, protocol, arms, [12], degradations={"unsteady": unsteady}, settings=quick)
    np.testing.assert_array_equal(found.cell("one", 12, "unsteady").psnr, found.cell("two", 12, "unsteady").psnr)


def test_what_arms_have_in_common_is_made_once_and_gives_what_each_alone_gives(small, world):
    faces, protocol, _, quick = small
    calls = []

    class Resolver:
        def forward(self, vlr):
            calls.append("restored")
            return bicubic(vlr).flip(-1)

    def fine(images):
        calls.append("fine")
        return world.fine(images)

    def turned(images):
        calls.append("turned")
        return world.fine(images).flip(1)

    resolver = Resolver()
    arms = [
        Arm("first", fine, resolver.forward),
        Arm("second", turned, resolver.forward),
        Arm("old_gallery", turned, resolver.forward, gallery_embedder=fine),
    ]
    whole = quick.model_copy(update={"batch": len(protocol.probe_rows)})
    together = evaluate(faces, protocol, arms, [12], settings=whole)
    high = 2 * -(-len(protocol.high_rows) // whole.batch)
    assert calls.count("restored") == 1
    assert len(calls) - calls.count("restored") == 2 + high
    for arm in arms:
        alone = evaluate(faces, protocol, [arm], [12], settings=whole)
        assert alone.records == tuple(record for record in together.records if record.arm == arm.name)


def test_sizes_that_an_arm_does_not_take_are_left_out_and_told(small, world):
    faces, protocol, _, quick = small
    arms = [Arm("bicubic", world.fine, bicubic), Arm("dsr", world.fine, bicubic, smallest=8, largest=32)]
    found = evaluate(faces, protocol, arms, [16, 64], settings=quick)
    assert Cell("dsr", 64, "clean") not in found.cells
    assert any("dsr takes 8 to 32" in note for note in found.notes)


def test_real_small_faces_are_a_condition_of_their_own(small):
    faces, protocol, arms, quick = small
    vlr = np.zeros((len(faces), 10, 10, 3), np.uint8)
    vlr[:] = faces[:, ::11, ::11][:, :10, :10]
    steps = []
    found = evaluate(
        faces, protocol, arms[1:2], [], real_vlr=vlr, settings=quick, progress=lambda *told: steps.append(told)
    )
    assert found.cells == (Cell("bicubic", 10, "real"),)
    assert steps[-1] == (len(steps), len(steps))


def test_one_subject_has_answers_where_there_are_any(world):
    faces, names, paths = world.make_faces(subjects=1, images=4)
    found = evaluate(
        faces, world.protocol_of(names, paths), [Arm("bicubic", world.fine, bicubic)], [16], settings=QUICK
    )
    assert found.find("bicubic", 16, "rank1").value == 1.0
    assert found.find("bicubic", 16, "rank1").low is None
    assert any("no impostor" in note for note in found.notes)
    assert any("one subject" in note for note in found.notes)


def test_probes_that_are_all_strangers_have_false_alarms_only(world):
    faces, names, paths = world.make_faces(subjects=4, images=3)
    protocol = world.protocol_of(names, paths)
    strangers = Part(protocol.mated.rows, tuple(f"other {name}" for name in protocol.mated.subjects))
    protocol = replace(protocol, mated=Part(), non_mated=strangers)
    found = evaluate(faces, protocol, [Arm("bicubic", world.fine, bicubic)], [16], settings=QUICK)
    assert found.find("bicubic", 16, "false_alarm").n == 8
    assert any("no probe of an enrolled" in note for note in found.notes)
    with pytest.raises(EvaluationError, match="no rank1"):
        found.find("bicubic", 16, "rank1")


def test_a_collapsed_recogniser_names_nobody_rightly(small):
    faces, protocol, _, quick = small

    def collapsed(images):
        return F.normalize(torch.ones(len(images), 8))

    found = evaluate(faces, protocol, [Arm("bicubic", collapsed, bicubic)], [16], settings=quick)
    assert found.find("bicubic", 16, "rank1").value == 0.0
    assert found.find("bicubic", 16, "effective_rank").value == pytest.approx(1.0, abs=1e-4)
    assert found.find("bicubic", 16, "dprime").value is None


@pytest.mark.parametrize(
    ("embedder", "got"),
    [
        (lambda images: torch.ones(len(images), 8), "lengths"),
        (lambda images: torch.full((len(images), 8), math.nan), "not finite"),
        (lambda images: torch.ones(1, 8), "shape"),
    ],
)
def test_what_is_no_embedding_is_refused(small, embedder, got):
    faces, _, _, _ = small
    with pytest.raises(EvaluationError, match=got):
        embed_high(faces, [0, 1, 2], embedder)


def test_arms_of_one_name_rows_beyond_the_pack_and_odd_names_are_refused(small, world):
    faces, protocol, arms, _ = small
    with pytest.raises(EvaluationError, match="names that differ"):
        evaluate(faces, protocol, [arms[0], arms[0]], [16])
    with pytest.raises(EvaluationError, match="pack with 3 faces"):
        evaluate(faces[:3], protocol, arms, [16])
    with pytest.raises(EvaluationError, match="rename the condition"):
        evaluate(faces, protocol, arms, [16], degradations={"a/b": clean})
    with pytest.raises(EvaluationError, match="rename the arm"):
        Arm("dsr cycle", world.coarse)


def test_conditions_keep_size_and_range_and_differ(small):
    images = to_float(small[0][:4])
    made = {name: degrade(images, 16) for name, degrade in conditions().items()}
    assert set(made) == {"clean", "blur", "noise", "jpeg", "all", "misaligned"}
    for name, vlr in made.items():
        assert vlr.shape == (4, 3, 16, 16)
        assert float(vlr.min()) >= 0.0
        assert float(vlr.max()) <= 1.0
        assert name == "clean" or not torch.allclose(vlr, made["clean"], atol=1e-3)
    torch.testing.assert_close(conditions()["noise"](images, 16), made["noise"])
    torch.testing.assert_close(clean(images, 112), images)


def test_lpips_is_there_where_weights_are_and_absent_elsewhere(small, generator):
    faces, protocol, arms, quick = small
    widths = {"alexnet": ((8, 3, 11), (8, 8, 5), (8, 8, 3), (8, 8, 3), (8, 8, 3))}
    weights = [
        (torch.randn(out, before, side, side, generator=generator) / side, torch.zeros(out))
        for out, before, side in widths["alexnet"]
    ]
    network = Lpips("alexnet", weights, [torch.rand(8, generator=generator) for _ in range(5)])

    plain = evaluate(faces, protocol, arms, [8, 16], settings=quick)
    found = evaluate(faces, protocol, arms, [8, 16], settings=quick, lpips=network)

    records = [entry for entry in found.records if entry.metric == "lpips_alexnet"]
    assert tuple(entry for entry in found.records if entry not in records) == plain.records
    assert {(entry.arm, entry.size) for entry in records} == {
        (arm, size) for arm in ("bicubic", "bicubic-coarse") for size in (8, 16)
    }
    images = to_float(faces)[list(protocol.pairs.rows)]
    for size in (8, 16):
        entry = found.find("bicubic", size, "lpips_alexnet")
        wanted = network(bicubic(clean(images, size)), images).mean()
        assert entry.value == pytest.approx(float(wanted), rel=1e-4)
        assert entry.low <= entry.value <= entry.high
