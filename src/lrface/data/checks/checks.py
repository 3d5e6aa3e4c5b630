"""Checks of a source before a pack is made of it: what people find at 3 a.m. otherwise."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Int64, UInt8

from lrface.data.checks.copies import altered_pairs
from lrface.data.checks.depth import check_depth
from lrface.data.checks.duplicates import groups_of, near_pairs, same_pixels
from lrface.data.checks.findings import Collector, Finding
from lrface.data.checks.fit import check_fits
from lrface.data.faces.fit import Fit
from lrface.data.measure import Measured
from lrface.data.pack.splits import Splits
from lrface.data.settings import CheckSettings, FindingKind
from lrface.data.source import Report


@dataclass
class Checked:
    """All faces with what was measured of them.

    Attributes:
        table: One line per face: source, subject, width, height.
        measured: The figures, in the same order.
        face: Gives the face of a row.
        fits: How each came to its face; empty where they came as faces.
    """

    table: pd.DataFrame
    measured: Sequence[Measured]
    face: Callable[[int], UInt8[np.ndarray, "112 112 3"]]
    fits: Sequence[Fit | None] = ()
    _near: dict[tuple[int, float], np.ndarray] = field(default_factory=dict)

    def same(self) -> list[list[int]]:
        """Groups rows with the same pixels."""
        return same_pixels([face.sha256 for face in self.measured])

    def near(self, settings: CheckSettings) -> Int64[np.ndarray, "pairs 2"]:
        """Lists pairs that are nearly, but not exactly, the same picture."""
        key = settings.near_distance, settings.near_correlation
        if key not in self._near:
            hashes = np.array([face.perceptual for face in self.measured], dtype=np.uint64)
            first = np.array(pd.Series([face.sha256 for face in self.measured]).drop_duplicates().index, dtype=np.int64)
            # Of the same picture one is enough, and constant ones are alike without being copies.
            contrast = np.array([self.measured[row].contrast for row in first])
            first = first[contrast >= settings.constant_contrast]
            found = near_pairs(hashes[first], lambda place: self.face(int(first[place])), *key)
            self._near[key] = first[found]
        return self._near[key]

    def groups(self, settings: CheckSettings) -> Int64[np.ndarray, " n"]:
        """Gives faces of one picture one number, so that no split parts them."""
        pairs = [(group[0], row) for group in self.same() for row in group[1:]]
        if "near_duplicate" not in settings.ignore:
            pairs.extend((int(one), int(other)) for one, other in self.near(settings))
        return groups_of(len(self.measured), pairs)


def check_faces(checked: Checked, report: Report, settings: CheckSettings) -> list[Finding]:
    """Checks everything that does not depend on the splits.

    Args:
        checked: The faces and what was measured of them.
        report: What the source skipped.
        settings: What to look for.

    Returns:
        The findings, errors first.
    """
    collect = Collector(settings)
    _check_skipped(checked, report, collect)
    _check_sizes(checked, settings, collect)
    _check_light(checked, settings, collect)
    if checked.fits:
        sizes = list(zip(checked.table["width"], checked.table["height"], strict=True))
        check_fits(list(checked.table["source"]), sizes, checked.fits, settings, collect)
    _check_colour(checked, settings, collect)
    check_depth(checked.table["source"], checked.table["subject"], collect)
    _check_subjects(checked, settings, collect)
    return collect.sorted()


def check_splits(checked: Checked, splits: Splits, settings: CheckSettings) -> list[Finding]:
    """Looks for pictures that are, or nearly are, in two places.

    Args:
        checked: The faces and what was measured of them.
        splits: Both splits.
        settings: What to look for.

    Returns:
        The findings, errors first.
    """
    collect = Collector(settings)
    same = [(group[0], row) for group in checked.same() for row in group[1:]]
    _check_pairs(checked, splits, same, ("duplicate", "duplicate_subject", "duplicate_split"), collect)
    near: tuple[FindingKind, FindingKind, FindingKind] = (
        "near_duplicate",
        "near_duplicate_subject",
        "near_duplicate_split",
    )
    if not set(near) <= set(settings.ignore):
        pairs = [(int(one), int(other)) for one, other in checked.near(settings)]
        _check_pairs(checked, splits, pairs, near, collect)
    if "altered_subject" not in settings.ignore:
        _check_altered(checked, settings, collect)
    return collect.sorted()


def _check_altered(checked: Checked, settings: CheckSettings, collect: Collector) -> None:
    names, subjects = list(checked.table["source"]), list(checked.table["subject"])
    lively = [row for row, face in enumerate(checked.measured) if face.contrast >= settings.constant_contrast]
    found = altered_pairs(
        [checked.measured[row] for row in lively],
        lambda place: checked.face(lively[place]),
        settings.near_distance,
        settings.near_correlation,
    )
    rows = [(lively[one], lively[other]) for one, other in found]
    two = [f"{names[one]} = {names[other]}" for one, other in rows if subjects[one] != subjects[other]]
    message = f"{len(two)} pairs under two subjects look like one picture, mirrored or cropped"
    collect.add("altered_subject", len(two), message, two, "look at these, and leave one of each out")


def _check_skipped(checked: Checked, report: Report, collect: Collector) -> None:
    by_kind = Counter(problem.kind for problem in report.problems)
    for kind, count in sorted(by_kind.items()):
        names = [problem.source for problem in report.problems if problem.kind == kind]
        collect.add("skipped", count, f"{count} files skipped as {kind}", names)
    lost = sorted({problem.subject for problem in report.problems if problem.subject} - set(checked.table["subject"]))
    collect.add("subject_lost", len(lost), f"{len(lost)} subjects of whom no face is left", lost)


def _check_sizes(checked: Checked, settings: CheckSettings, collect: Collector) -> None:
    width, height = checked.table["width"].to_numpy(), checked.table["height"].to_numpy()
    names = checked.table["source"].to_numpy(dtype=object)
    small = names[np.minimum(width, height) < settings.small_side]
    collect.add("small", len(small), f"{len(small)} files under {settings.small_side} pixels a side", list(small))
    huge = names[width.astype(np.int64) * height > settings.huge_pixels]
    collect.add("huge", len(huge), f"{len(huge)} files over {settings.huge_pixels} pixels", list(huge))
    flat = [
        name for name, face in zip(names, checked.measured, strict=True) if face.contrast < settings.constant_contrast
    ]
    collect.add("constant", len(flat), f"{len(flat)} faces of one level", flat)


def _check_light(checked: Checked, settings: CheckSettings, collect: Collector) -> None:
    rows = list(zip(checked.table["source"], checked.measured, strict=True))
    dark = [f"{name} ({face.mean:.0f})" for name, face in rows if face.mean < settings.dark_level]
    message = f"{len(dark)} faces that are nearly black, with a mean level under {settings.dark_level:g} of 255"
    collect.add("dark", len(dark), message, dark, "look at these: of 12 bits in 16, say, only a 16th is used")
    bright = [f"{name} ({face.mean:.0f})" for name, face in rows if face.mean > settings.bright_level]
    message = f"{len(bright)} faces that are nearly white, with a mean level over {settings.bright_level:g} of 255"
    collect.add("bright", len(bright), message, bright, "look at these")


def _check_colour(checked: Checked, settings: CheckSettings, collect: Collector) -> None:
    names = list(checked.table["source"])
    grey = [name for name, face in zip(names, checked.measured, strict=True) if face.grey]
    colour = len(names) - len(grey)
    if colour:
        collect.add("grey_among_colour", len(grey), f"{len(grey)} grey faces among {colour} in colour", grey)
    else:
        collect.add("all_grey", len(grey), "all faces are grey; what is trained on them has seen no colour", grey)
    cold = [
        name
        for name, face in zip(names, checked.measured, strict=True)
        if not face.grey and -face.warmth > settings.bgr_warmth and face.warmth < face.rim_warmth
    ]
    share = len(cold) / max(1, colour)
    if share > 0.5:
        message = f"{len(cold)} of {colour} faces have bluer skin than background: red and blue may be swapped"
        collect.add("bgr_suspected", len(cold), message, cold)
    elif cold:
        # Blue light happens; one person who is blue throughout comes from a file read in the wrong order.
        _check_cold_subjects(checked, set(cold), collect)


def _check_cold_subjects(checked: Checked, cold: set[str], collect: Collector) -> None:
    is_cold = checked.table["source"].isin(cold)
    share = is_cold.groupby(checked.table["subject"]).agg(["mean", "size"])
    subjects = sorted(share.index[(share["mean"] == 1.0) & (share["size"] > 2)])
    message = f"{len(subjects)} subjects have bluer skin than background in every image: red and blue may be swapped"
    collect.add("bgr_suspected", len(subjects), message, subjects)


def _check_subjects(checked: Checked, settings: CheckSettings, collect: Collector) -> None:
    counts = checked.table["subject"].value_counts()
    single = sorted(counts.index[counts == 1])
    collect.add("single_image", len(single), f"{len(single)} subjects with one image", single)
    largest, median = int(counts.max()), float(counts.median())
    if largest > settings.imbalance * median:
        big = sorted(counts.index[counts.to_numpy() > settings.imbalance * median])
        message = f"{len(big)} subjects with over {settings.imbalance:g} times the median of {median:g} images"
        collect.add("imbalance", len(big), message, [f"{subject} ({counts[subject]})" for subject in big])


def _check_pairs(
    checked: Checked,
    splits: Splits,
    pairs: Sequence[tuple[int, int]],
    kinds: tuple[FindingKind, FindingKind, FindingKind],
    collect: Collector,
) -> None:
    names, subjects = list(checked.table["source"]), list(checked.table["subject"])
    within, across, parted = kinds
    nearly = "nearly " if within.startswith("near") else ""

    def listed(chosen: Callable[[int, int], bool]) -> list[str]:
        return [f"{names[one]} = {names[other]}" for one, other in pairs if chosen(one, other)]

    def is_parted(one: int, other: int) -> bool:
        if splits.superres[one] != splits.superres[other]:
            return True
        return {splits.recognition[one], splits.recognition[other]} == {"train", "val"}

    same = listed(lambda one, other: subjects[one] == subjects[other] and not is_parted(one, other))
    collect.add(within, len(same), f"{len(same)} pairs of {nearly}the same picture of one subject", same)
    two = listed(lambda one, other: subjects[one] != subjects[other])
    collect.add(across, len(two), f"{len(two)} pairs of {nearly}the same picture under two subjects", two)
    split = listed(is_parted)
    collect.add(parted, len(split), f"{len(split)} pairs of {nearly}the same picture in two splits", split)
