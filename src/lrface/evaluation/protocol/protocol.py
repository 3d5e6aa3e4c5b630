"""Who is enrolled, who is searched for, who sets the threshold: drawn once, and the same for every arm.

A protocol is a plain value with a hash. Two evaluations may be compared when their hashes are equal, for then
they asked the same questions about the same faces.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrface.errors import EvaluationError
from lrface.evaluation.settings import ProtocolSettings

FORMAT = 1


@dataclass(frozen=True)
class Part:
    """Some faces of the pack and whose they are.

    Attributes:
        rows: Rows of the pack.
        subjects: The subject of each row.
    """

    rows: tuple[int, ...] = ()
    subjects: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The subjects, each once, in order of appearance."""
        return tuple(dict.fromkeys(self.subjects))


@dataclass(frozen=True)
class Protocol:
    """The fixed questions of an evaluation.

    Attributes:
        source: Digest of the pack that the rows belong to.
        settings: How it was drawn.
        gallery: HR faces that are enrolled.
        mated: Probes of enrolled subjects, none of them an enrolled picture.
        non_mated: Probes of subjects who are not enrolled. Where empty, strangers are made by leaving one
            subject out: each mated probe is searched for among the other subjects.
        pairs: Faces of evaluation subjects whose pairs are compared: each in HR against each as a probe, a
            picture never against itself.
        calibration: Probes of the subjects who choose the threshold. They are not enrolled: the threshold is
            the one at which few of them are taken for somebody in the gallery. Where empty, the threshold is
            cross-fitted among the evaluated subjects.
        notes: What could not be had, in words.
    """

    source: str
    settings: ProtocolSettings
    gallery: Part
    mated: Part
    non_mated: Part
    pairs: Part
    calibration: Part
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Gives the protocol as plain values."""
        return {"format": FORMAT, **asdict(self), "settings": self.settings.model_dump()}

    @property
    def digest(self) -> str:
        """The sha256 of everything in it but the notes."""
        content = self.as_json()
        del content["notes"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def probe_rows(self) -> tuple[int, ...]:
        """All rows that are shrunk, each once, rising."""
        parts = (self.mated, self.non_mated, self.pairs, self.calibration)
        return tuple(sorted({row for part in parts for row in part.rows}))

    @property
    def high_rows(self) -> tuple[int, ...]:
        """All rows that are embedded in HR, each once, rising."""
        parts = (self.gallery, self.pairs)
        return tuple(sorted({row for part in parts for row in part.rows}))

    def save(self, path: Path) -> None:
        """Writes it as JSON, with its hash, in one step."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps({"sha256": self.digest, **self.as_json()}), encoding="utf-8")
        partial.replace(path)


def load_protocol(path: Path) -> Protocol:
    """Reads a protocol and checks its hash.

    Raises:
        EvaluationError: No such file, not a protocol, or changed since it was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parts = {
            name: Part(tuple(content[name]["rows"]), tuple(content[name]["subjects"]))
            for name in ("gallery", "mated", "non_mated", "pairs", "calibration")
        }
        protocol = Protocol(
            source=content["source"],
            settings=ProtocolSettings(**content["settings"]),
            notes=tuple(content["notes"]),
            **parts,
        )
        written, version = str(content["sha256"]), content["format"]
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise EvaluationError(
            f"protocol {path}",
            got=f"{type(error).__name__}: {error}".splitlines()[0],
            expected="a protocol as `evaluate` writes it",
            remedy="give the protocol.json of an evaluation run, or draw a new one",
        ) from error
    if version != FORMAT or written != protocol.digest:
        raise EvaluationError(
            f"protocol {path}",
            got=f"format {version}, content with sha256 {protocol.digest[:12]}",
            expected=f"format {FORMAT}, sha256 {written[:12]}",
            remedy="it was edited or is of another version; draw a new one and evaluate again",
        )
    return protocol


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Gives a sorting key by which img2 comes before img10."""
    return tuple(
        (0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in re.split(r"([0-9]+)", name) if piece
    )


def _first_and_others(
    images: Mapping[str, Sequence[int]], subjects: Sequence[str], gallery_images: int
) -> tuple[Part, Part]:
    """Splits each subject's rows into the enrolled ones and the rest, of which a lone image has none."""
    first = [(row, subject) for subject in subjects for row in images[subject][:gallery_images]]
    others = [(row, subject) for subject in subjects for row in images[subject][gallery_images:]]
    return _part(first), _part(others)


def _part(pairs: Sequence[tuple[int, str]]) -> Part:
    return Part(tuple(row for row, _ in pairs), tuple(subject for _, subject in pairs))


def _all(images: Mapping[str, Sequence[int]], subjects: Sequence[str]) -> Part:
    return _part([(row, subject) for subject in subjects for row in images[subject]])


def _limited(images: Mapping[str, Sequence[int]], shuffled: Sequence[str], limit: int) -> list[str]:
    """Keeps whole subjects while they fit; at least two, for one has no impostors."""
    kept: list[str] = []
    faces = 0
    for subject in shuffled:
        if len(kept) >= 2 and faces + len(images[subject]) > limit:
            continue
        kept.append(subject)
        faces += len(images[subject])
    return kept


def _grouped(
    rows: Sequence[int] | np.ndarray, subjects: Sequence[str] | np.ndarray, names: Sequence[str] | np.ndarray
) -> dict[str, list[int]]:
    """Groups rows by subject, both in natural order."""
    entries = sorted(
        zip(rows, subjects, names, strict=True),
        key=lambda entry: (natural_key(str(entry[1])), natural_key(str(entry[2])), int(entry[0])),
    )
    images: dict[str, list[int]] = {}
    for row, subject, _ in entries:
        images.setdefault(str(subject), []).append(int(row))
    return images


def draw_protocol(
    rows: Sequence[int] | np.ndarray,
    subjects: Sequence[str] | np.ndarray,
    names: Sequence[str] | np.ndarray,
    settings: ProtocolSettings,
    source: str,
    calibration: tuple[Sequence[int] | np.ndarray, Sequence[str] | np.ndarray] | None = None,
) -> Protocol:
    """Draws the protocol of some faces, by subject.

    Args:
        rows: Rows of the pack that may be used, all of people whom no network was trained on.
        subjects: Whose each row is.
        names: What orders a subject's images: the source path. "2.png" comes before "10.png".
        settings: How to draw.
        source: Digest of the pack.
        calibration: Rows and subjects of other people who choose the threshold, those of the validation split, say;
            None sets some of the subjects apart where there are enough.

    Raises:
        EvaluationError: No faces, no subject with an image left to search with, or somebody who both chooses the
            threshold and is reported on.
    """
    images = _grouped(rows, subjects, names)
    order = list(images)
    generator = np.random.default_rng(settings.seed)
    shuffled = [order[place] for place in generator.permutation(len(order))]
    split = len(order) >= settings.split_from
    given = _given(calibration, images, settings, generator)
    apart = round(settings.calibration_fraction * len(order)) if split and not given.rows else 0
    unenrolled = round(settings.non_mated_fraction * (len(order) - apart)) if split else 0
    calibrating = set(shuffled[:apart])
    hidden = set(shuffled[apart : apart + unenrolled])
    enrolled = [subject for subject in order if subject not in calibrating and subject not in hidden]
    gallery, mated = _first_and_others(images, enrolled, settings.gallery_images)
    if not mated.rows:
        raise EvaluationError(
            "protocol",
            got=f"{len(order)} subjects, none with more than {settings.gallery_images} image(s)",
            expected="an image to enrol and another to search with",
            remedy="give more images of each subject",
        )
    paired = set(_limited(images, shuffled[apart:], settings.pair_faces))
    return Protocol(
        source=source,
        settings=settings,
        gallery=gallery,
        mated=mated,
        non_mated=_all(images, [subject for subject in order if subject in hidden]),
        pairs=_all(images, [subject for subject in order if subject in paired]),
        calibration=given if given.rows else _all(images, [subject for subject in order if subject in calibrating]),
        notes=_notes(len(order), len(paired), apart, unenrolled, settings, calibrated=bool(apart or given.rows)),
    )


def _given(
    calibration: tuple[Sequence[int] | np.ndarray, Sequence[str] | np.ndarray] | None,
    images: Mapping[str, Sequence[int]],
    settings: ProtocolSettings,
    generator: np.random.Generator,
) -> Part:
    """Gives the calibration probes that the caller chose, whole subjects up to the limit, rising by row."""
    if calibration is None or not len(calibration[0]):
        return Part()
    others: dict[str, list[int]] = {}
    for row, subject in sorted((int(row), str(subject)) for row, subject in zip(*calibration, strict=True)):
        others.setdefault(subject, []).append(row)
    both = sorted(set(others) & set(images), key=natural_key)
    if both:
        raise EvaluationError(
            "calibration subjects",
            got=f"{len(both)} who are evaluated too ({both[0]})",
            expected="other people",
            remedy="take them from another split",
        )
    order = sorted(others, key=natural_key)
    kept = _limited(others, [order[place] for place in generator.permutation(len(order))], settings.calibration_faces)
    return _part(sorted((row, subject) for subject in kept for row in others[subject]))


def _notes(
    subjects: int, paired: int, apart: int, unenrolled: int, settings: ProtocolSettings, *, calibrated: bool
) -> tuple[str, ...]:
    notes = []
    if not calibrated:
        notes.append(
            f"no calibration subjects ({subjects} subjects, split from {settings.split_from}): "
            "the calibrated threshold is cross-fitted, for each fold of subjects by the strangers of the others"
        )
    if not unenrolled:
        notes.append(
            "no subject was kept out of the gallery: strangers are the mated probes searched for among the "
            "other subjects (one subject left out)"
        )
    if paired < subjects - apart:
        notes.append(f"verification compares the faces of {paired} of {subjects - apart} subjects")
    if subjects == 1:
        notes.append("one subject: rank-1 says nothing, there are no impostors")
    return tuple(notes)
