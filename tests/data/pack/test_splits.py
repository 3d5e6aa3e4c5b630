from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.data.pack.splits import Row, make_splits, split_superres, summarize
from lrface.data.settings import SplitSettings
from lrface.errors import ConfigError, DataError


def people(counts: list[int]) -> list[Row]:
    return [
        Row(f"s{person}", (person, image), f"s{person}/{image}.png")
        for person, count in enumerate(counts)
        for image in range(count)
    ]


@st.composite
def rows(draw) -> list[Row]:
    counts = draw(st.lists(st.integers(1, 14), min_size=1, max_size=25))
    alike = draw(st.integers(1, 14))  # images of one person share a picture when their numbers agree modulo this
    listed = [Row(row.subject, (row.subject, row.group[1] % alike), row.name) for row in people(counts)]
    return draw(st.permutations(listed)) if len(listed) < 60 else listed


options = st.builds(
    SplitSettings,
    seed=st.integers(0, 5),
    val_fraction=st.floats(0, 0.4),
    test_fraction=st.floats(0, 0.4),
    recognition_val_fraction=st.floats(0.05, 0.95),
    recognition_min_images=st.integers(2, 8),
    all_test=st.sampled_from([False, False, False, True]),
)


@given(rows(), options)
@settings(max_examples=60, deadline=None)
def test_the_split_rules(faces, chosen):
    splits = make_splits(faces, chosen)
    summary = summarize([row.subject for row in faces], splits)
    place, pictures, images = defaultdict(set), defaultdict(set), defaultdict(Counter)
    for row, part, learnt in zip(faces, splits.superres, splits.recognition, strict=True):
        place[row.subject].add(part)
        images[row.subject][learnt] += 1
        if learnt != "none":
            pictures[row.subject, row.group].add(learnt)
            assert part != "test", "a test subject is in training"
    assert all(len(parts) == 1 for parts in place.values()), "a subject is in two superres splits"
    assert all(len(parts) == 1 for parts in pictures.values()), "an image is in two recognition splits"
    assert sum(part["images"] for part in summary.superres.values()) == len(faces) == summary.images
    assert sum(part["images"] for part in summary.recognition.values()) == len(faces)
    assert sum(part["subjects"] for part in summary.superres.values()) == summary.subjects
    assert sum(part["ratio"] for part in summary.superres.values()) == pytest.approx(1)
    if chosen.all_test:
        assert set(splits.superres) == {"test"}
        return
    for subject, count in images.items():
        if place[subject] == {"test"}:
            continue
        total = sum(count.values())
        if subject in splits.left_out:
            assert count["none"] == total
        else:
            assert total >= chosen.recognition_min_images
            assert count["none"] == 0
            assert min(count["train"], count["val"]) >= 1, "who is learnt is in train and val"
    if len(place) >= 3 and chosen.val_fraction and chosen.test_fraction:
        assert {part for parts in place.values() for part in parts} == {"train", "val", "test"}


@given(rows(), options)
@settings(max_examples=20, deadline=None)
def test_the_splits_do_not_depend_on_the_order_of_listing(faces, chosen):
    forth, back = make_splits(faces, chosen), make_splits(faces[::-1], chosen)
    assert forth.superres == back.superres[::-1]
    assert forth.recognition == back.recognition[::-1]


def test_shares_are_exact():
    splits = make_splits(people([10] * 40), SplitSettings(val_fraction=0.1, test_fraction=0.25))
    assert Counter(splits.superres) == {"train": 260, "val": 40, "test": 100}
    assert Counter(splits.recognition) == {"train": 240, "val": 60, "none": 100}


def test_counts_go_before_shares():
    chosen = SplitSettings(test_subjects=6, val_subjects=2)
    splits = make_splits(people([10] * 20), chosen)
    assert Counter(splits.superres) == {"train": 120, "val": 20, "test": 60}


def test_another_seed_deals_out_others():
    faces = people([5] * 30)
    dealt = {split_superres(faces, SplitSettings(seed=seed)) for seed in range(4)}
    assert len(dealt) == 4


def test_few_images_are_left_out_and_counted():
    splits = make_splits(people([4, 5, 5, 1]), SplitSettings(val_fraction=0, test_fraction=0))
    assert splits.left_out == {"s0": "4 images, fewer than 5", "s3": "1 images, fewer than 5"}
    summary = summarize([row.subject for row in people([4, 5, 5, 1])], splits)
    assert summary.left_out_images == 5
    assert "left out of recognition: 2 subjects with 5 images" in summary.lines()


def test_one_picture_many_times_cannot_be_split():
    faces = [Row("a", "same", f"{number}.png") for number in range(6)]
    splits = make_splits(faces, SplitSettings())
    assert set(splits.recognition) == {"none"}
    assert splits.left_out == {"a": "its 6 images are all the same picture"}


@pytest.mark.parametrize("subjects", [1, 2])
def test_one_or_two_people_are_trained_on(subjects):
    assert set(split_superres(people([6] * subjects), SplitSettings())) == {"train"}


def test_sound_prescribed_splits_are_kept():
    faces = [
        Row("a", 1, "a1", "test", "none"),
        Row("b", 2, "b1", "train", "val"),
        Row("b", 3, "b2", "train", "train"),
        Row("c", 4, "c1", "val", "none"),
    ]
    splits = make_splits(faces, SplitSettings())
    assert splits.superres == ("test", "train", "train", "val")
    assert splits.recognition == ("none", "val", "train", "none")
    assert splits.left_out == {}


def test_who_has_no_prescribed_split_is_dealt_out():
    faces = [Row("drawn", ("drawn", n), f"d{n}", "train", "none") for n in range(8)] + people([6] * 20)
    splits = make_splits(faces, SplitSettings(test_subjects=6, val_subjects=2))
    assert Counter(splits.superres) == {"train": 8 + 72, "val": 12, "test": 36}
    assert set(splits.recognition[:8]) == {"none"}


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        ([Row("a", 1, "a1", "train"), Row("a", 2, "a2", "test")], r"subject a in train \(a1\) and in test \(a2\)"),
        (
            [
                Row(f"s{n}", (n, part, i), f"{part}/s{n}/{i}", part)
                for n in range(7)
                for part in ("train", "val")
                for i in range(6)
            ],
            r"subject s0 in train \(train/s0/0, .* and 1 more\) and in val .*; subject s1 .*; and 2 more subjects",
        ),
        ([Row("a", 1, "a1", "holdout")], "'holdout' for a1"),
        ([Row("a", 1, "a1", "train", "dev")], "'dev' for a1"),
        ([Row("a", 1, "a1", "test", "train")], "test subject a in recognition train"),
        ([Row("a", 1, "a1", "train", "train"), Row("a", 1, "a2", "train", "val")], "the picture a2"),
    ],
)
def test_unsound_prescribed_splits_are_refused(faces, message):
    with pytest.raises(DataError, match=message):
        make_splits(faces, SplitSettings())
    make_splits(faces, SplitSettings(keep_given=False))


def test_more_people_than_there_are_is_refused():
    with pytest.raises(ConfigError, match="6 for test and 1 for val"):
        split_superres(people([5] * 6), SplitSettings(test_subjects=6))
