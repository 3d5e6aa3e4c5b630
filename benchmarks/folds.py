"""The cycle on few people, each of them tested once: as many cycles as folds, every one with other test people.

    python benchmarks/folds.py --faces FOLDER --edgeface WEIGHTS --out FOLDER
    python benchmarks/folds.py ... --fold 2            # one of the cycles alone; several may run side by side
    python benchmarks/folds.py ... --pairs pairs.csv   # and labelled pairs of other people, each network's mean
    python benchmarks/folds.py ... --figures           # of the folds that are done, without running others
    python benchmarks/folds.py ... --figures --also edge=models:/dsr/4      # and another super-resolver of each

`FOLDER/subject/image.png`, aligned. Person number n is tested in fold n mod folds; two others choose the epochs; the
rest train. A probe is restored and embedded by networks that never saw its person, and compared with HR faces of
everybody, so one table covers all people. Rank-1 is over a gallery of one HR image each, averaged over as many choices
of that image as everybody has, up to eight; TAR is over all pairs of different images. Intervals are over people.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lrface.data.naming import natural_key
from lrface.evaluation.protocol.arms import bicubic
from lrface.images.degradation.degradation import small_faces
from lrface.images.degradation.resample import shrink
from lrface.images.ranges import to_float
from lrface.images.reading.reader import read_image
from lrface.metrics.fidelity import psnr
from lrface.metrics.statistics import draw_weights, expanded_interval, mean_interval, paired_interval
from lrface.metrics.verification import tar_at_far
from lrface.models.checkpoint.doctor import load_edgeface
from lrface.models.dsr.folder import load_dsr
from lrface.models.edgeface.network import EdgeFace
from lrface.tracking.registry.versions import download, resolve
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import connect

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("MLproject", "conda.yaml", "conf", "src")
SIZES = (8, 12, 16, 24, 32)
VALIDATION = 2
GALLERIES = 8
"""At most so many choices of the enrolled image."""
FARS = (1e-2, 1e-3)
REPLICATES = 400
MAX_PIXELS = 1 << 20


def table_of(faces: Path) -> pd.DataFrame:
    subjects = sorted((path for path in faces.iterdir() if path.is_dir()), key=lambda path: natural_key(path.name))
    lines = [
        {"path": str(image.resolve()), "subject": subject.name, "person": number}
        for number, subject in enumerate(subjects)
        for image in sorted(subject.glob("*.png"), key=lambda path: natural_key(path.name))
    ]
    return pd.DataFrame(lines)


def fold_table(table: pd.DataFrame, fold: int, folds: int) -> pd.DataFrame:
    """Who trains, who chooses the epoch and who is tested; the choosers are those before and after the first tested."""
    persons = table["person"].unique()
    others = [person for person in persons if person % folds != fold]
    choosers = {others[(fold * VALIDATION + turn) % len(others)] for turn in range(VALIDATION)}
    split = {p: "test" if p % folds == fold else "val" if p in choosers else "train" for p in persons}
    return table.assign(superres=table["person"].map(split))[["path", "subject", "superres"]]


def run_cycle(table: pd.DataFrame, project: Path, given: argparse.Namespace, fold: int) -> None:
    try:
        project.mkdir(parents=True)
    except FileExistsError:
        sys.exit(f"{project}: somebody is at work there, or was stopped; remove it to begin anew")
    for part in PARTS:
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, project / part)
    (project / "mlruns").mkdir()
    fold_table(table, fold, given.folds).to_csv(project / "faces.csv", index=False)
    words = ["--preset", given.preset, "--data", "list", "--source", str(project / "faces.csv")]
    words += ["--edgeface", str(given.edgeface.resolve())]
    words += ["--overrides", given.overrides] if given.overrides else []
    with (project / "log").open("wb") as log:
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "lrface", "main", *words],
            cwd=project,
            env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
            | {"PYTHONPATH": "src"},
            stdout=log,
            stderr=log,
            check=True,
        )
    (project / "done").touch()


class Fold:
    """The networks of one cycle."""

    def __init__(self, project: Path, also: dict[str, str]) -> None:
        store = connect(project, TrackingSettings())
        with tempfile.TemporaryDirectory() as scratch:

            def fetched(uri: str) -> Path:
                return download(store, resolve(store, uri), Path(scratch) / uri.replace("/", "_"))

            # By number: a training that is added to a fold afterwards may have moved the alias.
            trained = {"baseline": "models:/dsr/1", "cycle": "models:/dsr@cycle", **also}
            self.resolvers = {
                "bicubic": bicubic,
                **{name: load_dsr(fetched(uri))[0].eval() for name, uri in trained.items()},
            }
            self.recognisers = {
                name: load_edgeface(fetched(f"models:/edgeface@{name}"))[0].eval()
                for name in ("pretrained", "finetuned")
            }


def embedded(network: EdgeFace, images: torch.Tensor) -> np.ndarray:
    return torch.cat([network(part) for part in torch.split(images, 64)]).numpy()


def restored(resolver: object, vlr: torch.Tensor) -> torch.Tensor:
    if resolver is bicubic:
        return bicubic(vlr)
    parts = [resolver.restore(small_faces(part)).float().clamp(0, 1) for part in torch.split(vlr, 64)]  # type: ignore[attr-defined]
    return torch.cat(parts)


def arms(fold: Fold) -> list[tuple[str, str]]:
    return [(resolver, recogniser) for recogniser in fold.recognisers for resolver in fold.resolvers]


class Scores:
    """Scores of probes against HR faces of everybody, for all probes once all folds are in."""

    def __init__(self, person: np.ndarray) -> None:
        self.person = self.enrolled = person
        self.row = np.arange(len(person))
        self.scores = np.zeros((len(person), len(person)), np.float32)
        self.psnr = np.full(len(person), np.nan)

    def keep(self, tested: np.ndarray) -> None:
        """Leave the probes of some people; everybody stays enrolled."""
        self.row, self.scores, self.psnr = self.row[tested], self.scores[tested], self.psnr[tested]
        self.person = np.unique(self.enrolled[tested], return_inverse=True)[1]
        self.named = self.enrolled[tested]
        self.people = int(self.person.max()) + 1
        self.weights = draw_weights(self.people, REPLICATES, 0)

    def right(self) -> np.ndarray:
        """For each probe how often it is named rightly, over the choices of the enrolled image."""
        count = min(GALLERIES, *np.unique(self.enrolled, return_counts=True)[1])
        firsts = np.unique(self.enrolled, return_index=True)[1]
        found = np.full((count, len(self.row)), np.nan)
        for turn in range(count):
            gallery = firsts + turn
            right = self.enrolled[gallery][self.scores[:, gallery].argmax(1)] == self.named
            found[turn] = np.where(np.isin(self.row, gallery), np.nan, right)
        often: np.ndarray = np.nanmean(found, axis=0)
        return often

    def tar(self, far: float) -> tuple[float, float, float]:
        same = self.named[:, None] == self.enrolled[None]
        genuine = same & (self.row[:, None] != np.arange(len(self.enrolled))[None])
        point = tar_at_far(self.scores[genuine], self.scores[~same], far)
        # The threshold is held: what people differ in is how many of their own pairs pass it.
        share = np.nanmean(np.where(genuine, self.scores >= point.threshold, np.nan), axis=1)
        replicates = np.array([np.average(share, weights=weight[self.person]) for weight in self.weights])
        interval = expanded_interval(point.value, replicates, self.people)
        return point.value, interval.low, interval.high


def figures(table: pd.DataFrame, given: argparse.Namespace) -> pd.DataFrame:
    person = table["person"].to_numpy()
    faces = to_float(np.stack([read_image(Path(path), path, MAX_PIXELS) for path in table["path"]]))
    cells: dict[tuple[str, str, int], Scores] = {}
    colour = []
    done = [number for number in range(given.folds) if (given.out / f"fold{number}" / "done").exists()]
    tested = np.isin(person % given.folds, done)
    for number in done:
        fold = Fold(given.out / f"fold{number}", dict(given.also))
        rows = np.flatnonzero(person % given.folds == number)
        for name, recogniser in fold.recognisers.items():
            high = embedded(recogniser, faces)
            cells.setdefault(("hr", name, 112), Scores(person)).scores[rows] = high[rows] @ high.T
            for resolver, size in [(resolver, size) for resolver in fold.resolvers for size in SIZES]:
                cell = cells.setdefault((resolver, name, size), Scores(person))
                shown = restored(fold.resolvers[resolver], shrink(faces[rows], size))
                cell.scores[rows] = embedded(recogniser, shown) @ high.T
                cell.psnr[rows] = psnr(shown, faces[rows]).numpy()
            if name == "finetuned":  # an old gallery searched with the tuned network
                old = embedded(fold.recognisers["pretrained"], faces)
                for size in SIZES:
                    shown = restored(fold.resolvers["cycle"], shrink(faces[rows], size))
                    cell = cells.setdefault(("cycle", "finetuned, gallery of the pretrained", size), Scores(person))
                    cell.scores[rows] = embedded(recogniser, shown) @ old.T
        if given.pairs:
            colour += pair_lines(fold, given.pairs, number)
    for cell in cells.values():
        cell.keep(tested)
    lines = [line(key, cell, cells, given.against) for key, cell in cells.items()]
    if colour:
        mean = pd.DataFrame(colour).groupby(["resolver", "recogniser", "size"], sort=False)["tar_at_far_1e-2"].mean()
        print(mean.unstack().round(3).to_string())
        mean.reset_index().to_json(given.out / "pairs.json", orient="records", indent=1)
    return pd.DataFrame(lines)


def line(
    key: tuple[str, str, int], cell: Scores, cells: dict[tuple[str, str, int], Scores], against: str | None
) -> dict[str, object]:
    right = cell.right()
    rank = mean_interval(right, cell.person, cell.weights)
    found: dict[str, object] = {"resolver": key[0], "recogniser": key[1], "size": key[2]}
    found |= {"rank1": rank.value, "rank1_low": rank.low, "rank1_high": rank.high}
    for far in FARS:
        value, low, high = cell.tar(far)
        found |= {f"tar_at_far_{far:.0e}": value, f"tar_{far:.0e}_low": low, f"tar_{far:.0e}_high": high}
    if not np.isnan(cell.psnr).all():
        found["psnr"] = float(np.nanmean(cell.psnr))
    reference = cells.get((against, key[1], key[2]) if against else ("bicubic", "pretrained", key[2]))
    if reference is not None and reference is not cell:
        gain = paired_interval(right, reference.right(), cell.person, cell.weights)
        found |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    return found


def pair_lines(fold: Fold, table: Path, number: int) -> list[dict[str, object]]:
    """TAR over labelled pairs (columns file, file, same), either image of a pair being the small one."""
    pairs = pd.read_csv(table, float_precision="round_trip")
    first, second, same = (pairs.iloc[:, place] for place in range(3))
    names = sorted({*first, *second})
    place = {name: number for number, name in enumerate(names)}
    left, right = (column.map(place).to_numpy() for column in (first, second))
    genuine = same.astype(str).str.lower().isin(["1", "true"]).to_numpy()
    faces = to_float(np.stack([read_image(table.parent / name, name, MAX_PIXELS) for name in names]))
    found = []
    for resolver, recogniser in arms(fold):
        network = fold.recognisers[recogniser]
        high = embedded(network, faces)
        for size in SIZES:
            small = embedded(network, restored(fold.resolvers[resolver], shrink(faces, size)))
            scores = np.stack([(high[left] * small[right]).sum(1), (small[left] * high[right]).sum(1)])
            value = tar_at_far(scores[:, genuine].ravel(), scores[:, ~genuine].ravel(), 1e-2).value
            line = {"fold": number, "resolver": resolver, "recogniser": recogniser, "size": size}
            found.append({**line, "tar_at_far_1e-2": value})
    return found


def named(text: str) -> tuple[str, str]:
    name, _, uri = text.partition("=")
    if not uri:
        raise argparse.ArgumentTypeError(f"got {text}, expected NAME=URI")
    return name, uri


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="folder of aligned faces, a folder for each person")
    parser.add_argument("--edgeface", type=Path, required=True, help="weights to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for the projects and the figures")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--fold", type=int, help="run this cycle alone")
    parser.add_argument("--figures", action="store_true", help="run no cycle")
    parser.add_argument("--preset", default="real")
    parser.add_argument("--overrides", default="", help="as of the entry point main")
    parser.add_argument("--pairs", type=Path, help="a table of labelled pairs of other people")
    parser.add_argument(
        "--against",
        metavar="NAME",
        help="whom gains in rank-1 are over, before the same recogniser; none: bicubic before the pretrained one",
    )
    parser.add_argument(
        "--also",
        type=named,
        action="append",
        default=[],
        metavar="NAME=URI",
        help="another super-resolver of each fold's registry",
    )
    given = parser.parse_args()
    known = ["bicubic", "baseline", "cycle", *(name for name, _ in given.also)]
    if len(set(known)) < len(known):
        parser.error(f"--also: got {', '.join(known[3:])}; expected other names than {', '.join(known[:3])}")
    if given.against and given.against not in known:
        parser.error(f"--against: got {given.against}; expected one of {', '.join(known)}")
    table = table_of(given.faces)
    wanted = range(given.folds) if given.fold is None else [given.fold]
    for fold in [] if given.figures else wanted:
        project = given.out / f"fold{fold}"
        if not (project / "done").exists():
            run_cycle(table, project, given, fold)
    done = sum((given.out / f"fold{fold}" / "done").exists() for fold in range(given.folds))
    if not done or (done < given.folds and not given.figures):
        print("other folds have yet to run")
        return 0
    lines = figures(table, given)
    (given.out / "folds.json").write_text(json.dumps(lines.to_dict("records"), indent=1))
    print(lines.round(3).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
