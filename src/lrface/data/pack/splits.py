"""Both splits of a pack.

``superres`` deals out whole subjects, so that a super-resolver is judged on people it never saw.
``recognition`` deals out the images of each subject of train and val, as a classifier needs every person in
training. Test subjects are in no training of either kind.

All draws are keyed hashes of names, not a generator's stream: who goes where depends on the seed and the
names alone, on any machine and in any order of listing.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from lrface.data.naming import natural_key
from lrface.data.pack.manifest import RECOGNITION_SPLITS, SUPERRES_SPLITS
from lrface.data.settings import SplitSettings
from lrface.errors import ConfigError, DataError

_SUBJECTS_TOLD, _FILES_TOLD = 5, 5


@dataclass(frozen=True)
class Row:
    """What the splits need to know of one face.

    Attributes:
        subject: Whose face it is.
        group: Faces of one group are one picture to the splits (same pixels, or nearly) and stay together.
        name: Path of the face, for messages and for the draw; the group stands in where there is none.
        superres: Prescribed super-resolution split, if any.
        recognition: Prescribed recognition split, if any.
    """

    subject: str
    group: Hashable
    name: str = ""
    superres: str | None = None
    recognition: str | None = None


@dataclass(frozen=True)
class Splits:
    """Both splits, one value per row, and who was left out.

    Attributes:
        superres: ``train``, ``val`` or ``test`` for each row.
        recognition: ``train``, ``val`` or ``none`` for each row.
        left_out: Subjects of train and val that recognition leaves out, each with the reason.
    """

    superres: tuple[str, ...]
    recognition: tuple[str, ...]
    left_out: dict[str, str]


@dataclass(frozen=True)
class SplitSummary:
    """What came of the splits, for a person to read.

    Attributes:
        subjects: Number of subjects.
        images: Number of images.
        superres: For each split: subjects, images, share of the images.
        recognition: For each split: subjects, images, share of the images.
        left_out: Subjects that recognition leaves out, each with the reason.
        left_out_images: How many images these have.
    """

    subjects: int
    images: int
    superres: dict[str, dict[str, float]]
    recognition: dict[str, dict[str, float]]
    left_out: dict[str, str]
    left_out_images: int

    def as_dict(self) -> dict[str, Any]:
        """Gives the summary as plain JSON values."""
        return {
            "subjects": self.subjects,
            "images": self.images,
            "superres": self.superres,
            "recognition": self.recognition,
            "left_out": self.left_out,
            "left_out_images": self.left_out_images,
        }

    def lines(self) -> list[str]:
        """Gives the summary as lines of text."""
        lines = [f"{self.subjects} subjects, {self.images} images"]
        for name, split in (("superres", self.superres), ("recognition", self.recognition)):
            for part, counts in split.items():
                share = f"{100 * counts['ratio']:.1f} %"
                lines.append(
                    f"{name} {part}: {counts['subjects']:.0f} subjects, {counts['images']:.0f} images, {share}"
                )
        if self.left_out:
            lines.append(f"left out of recognition: {len(self.left_out)} subjects with {self.left_out_images} images")
            lines.extend(f"  {subject}: {reason}" for subject, reason in self.left_out.items())
        return lines


def make_splits(rows: Sequence[Row], settings: SplitSettings) -> Splits:
    """Deals out subjects and images.

    Args:
        rows: All faces.
        settings: How.

    Returns:
        Both splits.

    Raises:
        DataError: A prescribed split is unsound.
        ConfigError: More subjects are asked for than there are.
    """
    superres = split_superres(rows, settings)
    recognition, left_out = split_recognition(rows, superres, settings)
    return Splits(superres, recognition, left_out)


def split_superres(rows: Sequence[Row], settings: SplitSettings) -> tuple[str, ...]:
    """Deals out whole subjects to train, val and test.

    Args:
        rows: All faces.
        settings: How many subjects go where.

    Returns:
        The split of each row.

    Raises:
        DataError: A prescribed split has a strange name, or a subject in two.
        ConfigError: More subjects are asked for than there are.
    """
    if settings.all_test:
        return ("test",) * len(rows)
    place = _given_superres(rows) if settings.keep_given else {}
    free = sorted({row.subject for row in rows} - place.keys(), key=lambda name: _draw(settings.seed, "superres", name))
    test, val = _superres_counts(len(free), settings, set(place.values()))
    if settings.keep_given:
        # Whom a prescribed split has recognition learn is no test subject: dealt out from the other end.
        learnt = {row.subject for row in rows if row.recognition in ("train", "val")}
        free.sort(key=learnt.__contains__)
        test = min(test, sum(subject not in learnt for subject in free))
    for rank, subject in enumerate(free):
        place[subject] = "test" if rank < test else "val" if rank < test + val else "train"
    return tuple(place[row.subject] for row in rows)


def split_recognition(
    rows: Sequence[Row], superres: Sequence[str], settings: SplitSettings
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Deals out the images of each subject of train and val.

    Args:
        rows: All faces.
        superres: The super-resolution split of each row.
        settings: Which share goes to validation, and how few images are too few.

    Returns:
        The split of each row, and the subjects left out with the reason.

    Raises:
        DataError: A prescribed split has a strange name, trains on a test subject, or has an image in two.
    """
    result = ["none"] * len(rows)
    left_out: dict[str, str] = {}
    by_subject: defaultdict[str, list[int]] = defaultdict(list)
    for index, (row, part) in enumerate(zip(rows, superres, strict=True)):
        if part != "test":
            by_subject[row.subject].append(index)
    if settings.keep_given:
        _check_given_recognition(rows, superres)
    for subject in sorted(by_subject, key=natural_key):
        indices = by_subject[subject]
        if settings.keep_given:
            free = [index for index in indices if rows[index].recognition is None]
            for index in indices:
                result[index] = rows[index].recognition or "none"
            if not free:
                continue
            indices = free
        if len(indices) < settings.recognition_min_images:
            left_out[subject] = f"{len(indices)} images, fewer than {settings.recognition_min_images}"
            continue
        val = _validation_images(rows, indices, settings)
        if not val:
            left_out[subject] = f"its {len(indices)} images are all the same picture"
            continue
        for index in indices:
            result[index] = "val" if index in val else "train"
    return tuple(result), left_out


def summarize(subjects: Sequence[str], splits: Splits) -> SplitSummary:
    """Counts what is where.

    Args:
        subjects: The subject of each row.
        splits: Both splits.

    Returns:
        The summary.
    """
    total = Counter(subjects)
    return SplitSummary(
        subjects=len(total),
        images=len(subjects),
        superres=_counts(subjects, splits.superres, SUPERRES_SPLITS),
        recognition=_counts(subjects, splits.recognition, RECOGNITION_SPLITS),
        left_out=splits.left_out,
        left_out_images=sum(total[subject] for subject in splits.left_out),
    )


def _counts(subjects: Sequence[str], split: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, float]]:
    images = Counter(split)
    people: defaultdict[str, set[str]] = defaultdict(set)
    for subject, part in zip(subjects, split, strict=True):
        people[part].add(subject)
    return {
        name: {
            "subjects": len(people[name]),
            "images": images[name],
            "ratio": images[name] / max(1, len(split)),
        }
        for name in names
    }


def _superres_counts(subjects: int, settings: SplitSettings, given: set[str]) -> tuple[int, int]:
    """Says how many subjects go to test and to val.

    From three subjects on, each split gets one at least, unless prescribed subjects are in it already.
    """
    if not subjects:
        return 0, 0
    enough = subjects >= len(SUPERRES_SPLITS)

    def number(part: str, count: int | None, fraction: float) -> int:
        if count is not None:
            return count
        least = 1 if enough and fraction and part not in given else 0
        return max(round(subjects * fraction), least)

    test = number("test", settings.test_subjects, settings.test_fraction)
    val = number("val", settings.val_subjects, settings.val_fraction)
    asked = settings.test_subjects is not None or settings.val_subjects is not None
    if test + val >= subjects and (asked or enough) and "train" not in given:
        raise ConfigError(
            f"split of {subjects} subjects",
            got=f"{test} for test and {val} for val",
            expected="one or more left for train",
            remedy="ask for fewer, or set all_test when the source is only judged",
        )
    if test + val >= subjects and "train" not in given:  # one or two subjects: training comes first
        return 0, 0
    if test + val > subjects:
        raise ConfigError(
            f"split of {subjects} subjects",
            got=f"{test} for test and {val} for val",
            expected=f"at most {subjects} in all",
            remedy="ask for fewer",
        )
    return test, val


def _given_superres(rows: Sequence[Row]) -> dict[str, str]:
    files: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in rows:
        if row.superres is None:
            continue
        if row.superres not in SUPERRES_SPLITS:
            raise _unsound(f"{row.superres!r} for {row.name}", f"one of {', '.join(SUPERRES_SPLITS)}")
        files[row.subject].setdefault(row.superres, []).append(row.name)
    parted = sorted((subject for subject, parts in files.items() if len(parts) > 1), key=natural_key)
    if parted:
        told = "; ".join(_whereabouts(subject, files[subject]) for subject in parted[:_SUBJECTS_TOLD])
        more = f"; and {len(parted) - _SUBJECTS_TOLD} more subjects" if len(parted) > _SUBJECTS_TOLD else ""
        raise _unsound(f"{told}{more}", "each subject in one split")
    return {subject: next(iter(parts)) for subject, parts in files.items()}


def _whereabouts(subject: str, parts: dict[str, list[str]]) -> str:
    """Says in which splits a subject is, with the first files in each."""

    def some(names: list[str]) -> str:
        return ", ".join(names[:_FILES_TOLD]) + (f" and {len(names) - _FILES_TOLD} more" * (len(names) > _FILES_TOLD))

    return f"subject {subject} in " + " and in ".join(f"{part} ({some(names)})" for part, names in parts.items())


def _check_given_recognition(rows: Sequence[Row], superres: Sequence[str]) -> None:
    place: dict[tuple[str, Hashable], str] = {}
    for row, part in zip(rows, superres, strict=True):
        if row.recognition is None:
            continue
        if row.recognition not in RECOGNITION_SPLITS:
            raise _unsound(f"{row.recognition!r} for {row.name}", f"one of {', '.join(RECOGNITION_SPLITS)}")
        if part == "test" and row.recognition != "none":
            raise _unsound(f"test subject {row.subject} in recognition {row.recognition}", "test subjects in none")
        if row.recognition == "none":
            continue
        if place.setdefault((row.subject, row.group), row.recognition) != row.recognition:
            raise _unsound(f"the picture {row.name} in recognition train and val", "each picture in one split")


def _validation_images(rows: Sequence[Row], indices: Sequence[int], settings: SplitSettings) -> set[int]:
    """Draws whole groups until the share is reached as nearly as groups allow; never all of them."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        groups[rows[index].group].append(index)
    if len(groups) < 2:
        return set()
    wanted = max(1, round(settings.recognition_val_fraction * len(indices)))

    def order(members: list[int]) -> str:
        name = min(rows[index].name or str(rows[index].group) for index in members)
        return _draw(settings.seed, "recognition", f"{rows[members[0]].subject}\n{name}")

    chosen: set[int] = set()
    left = len(groups)
    for members in sorted(groups.values(), key=order):
        if left == 1 or len(chosen) >= wanted:
            break
        if chosen and len(chosen) + len(members) - wanted > wanted - len(chosen):
            continue
        chosen.update(members)
        left -= 1
    return chosen


def _draw(seed: int, kind: str, name: str) -> str:
    return hashlib.sha256(f"{seed}\n{kind}\n{name}".encode()).hexdigest()


def _unsound(got: str, expected: str) -> DataError:
    return DataError("prescribed split", got=got, expected=expected, remedy="mend the source, or set keep_given=false")
