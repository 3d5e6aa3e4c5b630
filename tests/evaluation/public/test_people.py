"""Identification among many people: who is enrolled, who is a stranger, and what an arm gains over direct."""

import cv2
import numpy as np
import pytest
import torch

from lrface.errors import DataError, EvaluationError
from lrface.evaluation.protocol.arms import bicubic
from lrface.evaluation.public.opening import Found, read_set
from lrface.evaluation.public.people import evaluate_people, search_gains
from lrface.evaluation.public.report import summary_lines, wide_table
from lrface.evaluation.public.sets import PeopleSet
from lrface.evaluation.public.settings import SearchSettings
from lrface.metrics.identification import Identification

SETTINGS = SearchSettings(fpirs=(0.3,), replicates=200)


@pytest.fixture(scope="module")
def people(world):
    """Six people with three faces and six with one."""
    faces, *_ = world.make_faces(subjects=12, images=3, noise=25.0)
    rows = [row for row in range(36) if row < 18 or row % 3 == 0]
    return PeopleSet("people", faces[rows], np.array([row // 3 for row in rows]))


def test_of_each_the_first_is_enrolled_and_who_has_but_one_is_a_stranger(people):
    assert people.enrolled.tolist() == [0, 3, 6, 9, 12, 15]
    assert people.mated.tolist() == [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17]
    assert people.mates.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert people.strangers.tolist() == [18, 19, 20, 21, 22, 23]


def test_a_folder_is_read_in_natural_order(people, tmp_path):
    for name, count in (("Ann", 11), ("Bob", 1)):
        (tmp_path / name).mkdir()
        for number in range(1, count + 1):
            pixels = np.full((112, 112, 3), 10 * number, np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{name}_{number}.png"), pixels)

    found = read_set(Found(tmp_path, "people"))

    assert found.owner.tolist() == [0] * 11 + [1]
    assert found.faces[:, 0, 0, 0].tolist() == [*range(10, 120, 10), 10]
    assert found.digest != people.digest


def test_a_folder_is_read_as_prepare_reads_it(tmp_path):
    for name in ("Ann", "Bob"):
        (tmp_path / name / "2023").mkdir(parents=True)
        for number in (1, 2):
            cv2.imwrite(str(tmp_path / name / "2023" / f"{number}.png"), np.full((112, 112, 3), number, np.uint8))
    (tmp_path / "Ann" / "._1.png").write_bytes(b"x")
    (tmp_path / "Ann" / "a.heic").write_bytes(b"x")
    (tmp_path / "Bob" / "all").symlink_to("..")
    notes = []
    assert read_set(Found(tmp_path, "people"), notes=notes).owner.tolist() == [0, 0, 1, 1]
    assert [note.partition(":")[0] for note in notes] == [
        "files that are no pictures by their suffix were left out",
        "1 links lead to folders that were read already, or that lie above, and were not followed",
    ]
    (tmp_path / "Bob" / "2023" / "1.png").rename(tmp_path / "1.png")
    with pytest.raises(EvaluationError, match=r"1 pictures without a person's folder, the first 1\.png"):
        read_set(Found(tmp_path, "people"))
    (tmp_path / "1.png").unlink()
    (tmp_path / "ann").mkdir()
    with pytest.raises(DataError, match="Ann and ann"):
        read_set(Found(tmp_path, "people"))


def test_people_with_one_picture_each_are_no_set(tmp_path):
    (tmp_path / "Ann").mkdir()
    cv2.imwrite(str(tmp_path / "Ann" / "1.png"), np.zeros((112, 112, 3), np.uint8))
    with pytest.raises(EvaluationError, match="nobody with two pictures"):
        read_set(Found(tmp_path, "people"))


def test_all_arms_are_searched_at_all_sizes_and_in_hr(people, world):
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine)]
    steps = []

    records = evaluate_people(people, arms, [8, 12], settings=SETTINGS, progress=lambda *told: steps.append(told))

    by_key = {entry.key(): entry for entry in records}
    assert by_key["people/hr/112/rank1"].value == 1.0
    assert by_key["people/hr/112/tpir_at_fpir_3e-1"].value == 1.0
    assert by_key["people/bicubic/8/rank1"].n == 12
    assert by_key["people/bicubic/12/false_alarm"].n == 6
    assert steps[-1] == (3, 3)
    assert "rank1" in wide_table(records, "people")


def test_an_arm_with_a_super_resolver_is_held_against_direct(people, world):
    def levelled(vlr):
        return bicubic(torch.full_like(vlr, 0.5))  # everybody looks the same

    arms = [
        world.ceiling("hr", world.fine),
        world.arm("bicubic-direct", world.fine),
        world.ceiling("dsr", world.fine, levelled),
    ]
    records = evaluate_people(people, arms, [12], settings=SETTINGS, direct=arms[1])

    over = {entry.key(): entry for entry in records if entry.metric.endswith("_over_direct")}
    assert set(over) == {"people/dsr/12/rank1_over_direct", "people/dsr/12/tpir_at_fpir_3e-1_over_direct"}
    assert over["people/dsr/12/rank1_over_direct"].high < 0
    assert any("rank1 of dsr over bicubic-direct: worse at 12 px" in line for line in summary_lines(records))


def test_gains_are_those_of_the_two_figures(people):
    rng = np.random.default_rng(0)

    def found(right):
        rank = np.where(rng.random(12) < right, 1, 2)
        best = rng.normal(0.5, 0.1, 12).astype(np.float32)
        return Identification(rank, best, people.mates, best, best), rng.normal(0.3, 0.1, 6).astype(np.float32)

    one, other = found(0.9), found(0.4)
    gained = search_gains(one, other, people, SETTINGS)

    def tpir(searched, strangers):
        threshold = np.sort(strangers)[-2]  # one of six may be let in
        return np.mean((searched.rank == 1) & (searched.best > threshold))

    assert gained["rank1"].value == pytest.approx(np.mean(one[0].rank == 1) - np.mean(other[0].rank == 1))
    assert gained["tpir_at_fpir_3e-1"].value == pytest.approx(tpir(*one) - tpir(*other))
    for change in gained.values():
        assert change.low <= change.value <= change.high


def test_probes_of_several_pictures_are_measured_beside_single_ones(people, world):
    arms = [world.ceiling("hr", world.fine)]
    chosen = SearchSettings(fpirs=(0.3,), probe_pictures=(2, 50), replicates=100)
    records = {record.metric: record for record in evaluate_people(people, arms, [], settings=chosen)}
    assert records["rank1_of_2"].value is not None
    assert records["rank1_of_2_over_one"].low is not None
    assert records["rank1_of_50"].value is None
    assert "nobody who is enrolled has so many" in (records["rank1_of_50"].reason or "")
    none = SearchSettings(fpirs=(0.3,), probe_pictures=())
    assert not any("_of_" in record.metric for record in evaluate_people(people, arms, [], settings=none))
