"""What an evaluation found: records, per-subject table, and the scores that later comparisons need."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrface.errors import EvaluationError
from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.protocol.protocol import Protocol, load_protocol
from lrface.metrics.identification import Identification
from lrface.metrics.statistics import Interval
from lrface.naming.operating_points import OperatingPoints

METRICS_FILE = "metrics.json"
PROTOCOL_FILE = "protocol.json"
SUBJECTS_FILE = "subjects.csv"
SCORES_FILE = "scores.npz"
NOTES_FILE = "notes.json"
SEPARATOR = "/"
AUTO, ONE = "auto", "one_threshold"
"""Ways to a threshold: one for each size, and one for all sizes."""
NAME_SAFE = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, order=True)
class Cell:
    """One arm at one size under one condition."""

    arm: str
    size: int
    degradation: str

    def __str__(self) -> str:
        """Gives arm/size/degradation."""
        return SEPARATOR.join((self.arm, str(self.size), self.degradation))


@dataclass(frozen=True)
class Record:
    """One figure.

    Attributes:
        arm: Name of the arm.
        size: Side of the probes in pixels; 112 for HR.
        degradation: Name of the condition.
        metric: Name of the metric.
        value: The figure; None where it cannot be told (see the notes).
        low: Lower end of its interval, None where it has none.
        high: Upper end.
        n: Probes, pairs or faces that it is made of.
    """

    arm: str
    size: int
    degradation: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Kept:
    """The scores of one cell, in the order of the protocol.

    Attributes:
        mated: What the search found for each mated probe.
        strangers: Best score of each search of somebody who is not enrolled.
        similarity: Cosine of each pair face's probe to its own HR face.
        psnr: In dB, of each pair face; empty for HR.
        far: False accept rates of the ROC, thinned.
        tar: True accept rates of the ROC, thinned.
        genuine_counts: Genuine scores in `HISTOGRAM_BINS` classes from -1 to 1.
        impostor_counts: Impostor scores in the same classes.
        replicates: Bootstrap replicates of pair figures by metric, on weights that all cells share.
        calibrated_threshold: NaN where nobody calibrates.
    """

    mated: Identification
    strangers: np.ndarray
    similarity: np.ndarray
    psnr: np.ndarray
    far: np.ndarray
    tar: np.ndarray
    genuine_counts: np.ndarray
    impostor_counts: np.ndarray
    replicates: Mapping[str, np.ndarray] = field(default_factory=dict)
    calibrated_threshold: float = math.nan


HISTOGRAM_BINS = 200


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def record(cell: Cell, metric: str, value: float, low: float, high: float, n: int) -> Record:
    """Makes a record; what is not finite becomes None, for JSON knows no other."""
    return Record(cell.arm, cell.size, cell.degradation, metric, _finite(value), _finite(low), _finite(high), n)


@dataclass(frozen=True, eq=False)
class Held:
    """One rate at one cell.

    Attributes:
        cell: The cell.
        way: `AUTO`: a threshold for each size; `ONE`: one for all sizes.
        asked: The rate asked for.
        threshold: The threshold; NaN where it could not be told.
        had: The rate that strangers of the test have there.
        named: Share of the mated probes that are named rightly.
        searches: Searches of strangers that `had` is a share of.
        probes: Mated probes that `named` is a share of.
    """

    cell: Cell
    way: str
    asked: float
    threshold: float
    had: Interval
    named: Interval
    searches: int
    probes: int


@dataclass(frozen=True, eq=False)
class Operating:
    """What came of it.

    Attributes:
        points: By arm.
        held: Every rate at every cell, both ways.
        notes: What could not be told.
    """

    points: Mapping[str, OperatingPoints]
    held: tuple[Held, ...]
    notes: tuple[str, ...] = ()

    def records(self) -> list[Record]:
        """The figures, as an evaluation keeps them."""
        found = []
        for item in self.held:
            suffix = f"{item.way}_{rate_name(item.asked)}"
            values = (
                ("threshold", Interval(item.threshold, math.nan, math.nan), item.searches),
                ("fpir", item.had, item.searches),
                ("tpir", item.named, item.probes),
            )
            found += [
                record(item.cell, f"{name}_{suffix}", value.value, value.low, value.high, n)
                for name, value, n in values
            ]
        return found


@dataclass(frozen=True)
class Results:
    """An evaluation: all arms, sizes and conditions on one protocol.

    Attributes:
        protocol: The questions.
        records: The figures.
        subjects: Per arm, size, degradation and subject: probes, rank1, accuracy (right at the threshold), wrong,
            unknown; shares in [0, 1].
        kept: Scores by cell.
        threshold: The fixed threshold of correct / wrong / unknown.
        replicates: Number of bootstrap replicates.
        seed: Seed of the bootstrap.
        notes: What could not be told, in words.
        operating: Operating points by arm; None where it was read from files, which have their figures alone.
    """

    protocol: Protocol
    records: tuple[Record, ...]
    subjects: pd.DataFrame
    kept: Mapping[Cell, Kept]
    threshold: float
    replicates: int
    seed: int
    notes: tuple[str, ...] = ()
    operating: Operating | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, in the order they were asked for."""
        return tuple(self.kept)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in order."""
        return tuple(dict.fromkeys(cell.arm for cell in self.kept))

    def cell(self, arm: str, size: int, degradation: str = "clean") -> Kept:
        """Gives the scores of one cell.

        Raises:
            EvaluationError: It was not evaluated.
        """
        wanted = Cell(arm, size, degradation)
        if wanted not in self.kept:
            raise EvaluationError(
                "evaluation",
                got=f"no cell {wanted}",
                expected="one of " + ", ".join(map(str, self.kept)),
                remedy="evaluate that arm at that size",
            )
        return self.kept[wanted]

    def find(self, arm: str, size: int, metric: str, degradation: str = "clean") -> Record:
        """Gives one record.

        Raises:
            EvaluationError: There is none.
        """
        for entry in self.records:
            if (entry.arm, entry.size, entry.metric, entry.degradation) == (arm, size, metric, degradation):
                return entry
        raise EvaluationError(
            "evaluation",
            got=f"no {metric} of {arm} at {size} px {degradation}",
            expected=f"a metric of {', '.join(sorted({entry.metric for entry in self.records}))}",
            remedy="check the name, or evaluate that arm at that size",
        )

    def table(self) -> pd.DataFrame:
        """Gives all records as a table, one row each."""
        return pd.DataFrame([asdict(entry) for entry in self.records])

    def save(self, folder: Path) -> list[Path]:
        """Writes metrics.json, protocol.json, subjects.csv, scores.npz and notes.json; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "threshold": self.threshold,
            "replicates": self.replicates,
            "seed": self.seed,
            "protocol": self.protocol.digest,
            "notes": list(self.notes),
        }
        self.protocol.save(folder / PROTOCOL_FILE)
        written = [folder / PROTOCOL_FILE]
        texts = {
            METRICS_FILE: json.dumps([asdict(entry) for entry in self.records], indent=1),
            NOTES_FILE: json.dumps(about, indent=1),
            SUBJECTS_FILE: self.subjects.to_csv(index=False),
        }
        for name, text in texts.items():
            partial = folder / f"{name}.partial"
            partial.write_text(text, encoding="utf-8")
            written.append(partial.replace(folder / name))
        partial = folder / f"{SCORES_FILE}.partial"
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **_arrays(self.kept))
        written.append(partial.replace(folder / SCORES_FILE))
        return written


_SEARCH = ("rank", "best", "named", "mate", "stranger")
_PLAIN = ("strangers", "similarity", "psnr", "far", "tar", "genuine_counts", "impostor_counts")


def _arrays(kept: Mapping[Cell, Kept]) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for cell, scores in kept.items():
        for name in _SEARCH:
            arrays[f"{cell}/mated/{name}"] = getattr(scores.mated, name)
        for name in _PLAIN:
            arrays[f"{cell}/{name}"] = getattr(scores, name)
        for name, values in scores.replicates.items():
            arrays[f"{cell}/replicates/{name}"] = values
        arrays[f"{cell}/calibrated_threshold"] = np.float64(scores.calibrated_threshold)
    return arrays


def _cells(names: Iterable[str]) -> list[Cell]:
    split = (name.split(SEPARATOR) for name in names)
    return list(dict.fromkeys(Cell(arm, int(size), degradation) for arm, size, degradation, *_ in split))


def _kept(arrays: Mapping[str, np.ndarray], cell: Cell) -> Kept:
    replicates_at = f"{cell}/replicates/"
    return Kept(
        mated=Identification(*(arrays[f"{cell}/mated/{name}"] for name in _SEARCH)),
        replicates={
            name.removeprefix(replicates_at): arrays[name] for name in arrays if name.startswith(replicates_at)
        },
        calibrated_threshold=float(arrays[f"{cell}/calibrated_threshold"]),
        **{name: arrays[f"{cell}/{name}"] for name in _PLAIN},
    )


def _people(path: Path) -> pd.DataFrame:
    """The table of people as it was written: one may be called NA; pandas' own guess at floats can end the process."""
    return pd.read_csv(
        path,
        dtype={"subject": str, "arm": str},
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
    )


def load_results(folder: Path) -> Results:
    """Reads what `Results.save` wrote; nothing in it is unpickled.

    Raises:
        EvaluationError: A file is missing, broken, or of another protocol.
    """
    protocol = load_protocol(folder / PROTOCOL_FILE)
    try:
        records = tuple(Record(**entry) for entry in json.loads((folder / METRICS_FILE).read_text("utf-8")))
        about = json.loads((folder / NOTES_FILE).read_text("utf-8"))
        subjects = _people(folder / SUBJECTS_FILE)
        with (folder / SCORES_FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        kept = {cell: _kept(arrays, cell) for cell in _cells(arrays)}
        same = about["protocol"] == protocol.digest
        results = Results(
            protocol=protocol,
            records=records,
            subjects=subjects,
            kept=kept,
            threshold=float(about["threshold"]),
            replicates=int(about["replicates"]),
            seed=int(about["seed"]),
            notes=tuple(about["notes"]),
        )
    except Exception as error:  # zip, JSON, CSV and NumPy's heads, damaged in any way
        raise EvaluationError(
            f"evaluation in {folder}",
            got=f"{type(error).__name__}: {error}".splitlines()[0],
            expected=f"{METRICS_FILE}, {NOTES_FILE}, {SUBJECTS_FILE}, {SCORES_FILE} as `evaluate` writes them",
            remedy="evaluate again",
        ) from error
    if not same:
        raise EvaluationError(
            f"evaluation in {folder}",
            got="scores of another protocol",
            expected=f"protocol {protocol.digest[:12]}",
            remedy="do not mix the files of two evaluations; evaluate again",
        )
    return results
