"""Does the pair beat the recogniser that needs no super-resolver? LFW, from the files to the table and the picture.

    python benchmarks/lfw.py --train train_1.tar train_2.tar --lfw lfw_dev.tar --edgeface edgeface_xxs.pt --out FOLDER
    python benchmarks/lfw.py ... --plan                     # what it will take, and nothing else
    python benchmarks/lfw.py ... --folds 1-5 --seeds 0 1 2  # some folds of the list, several trainings
    python benchmarks/lfw.py ... --preset many --device cuda --seeds 0 1 2 --beside 3

`--train` is a folder with a folder of pictures for each person, tars of one, or a pack; `--lfw` a folder with
`pairs.txt` and `NAME/NAME_0001.jpg`, a tar of it, or insightface's `lfw.bin` (pairs alone, nobody is named); both
aligned to 112 x 112. Nobody of LFW may be in the training. Everything is done by the ordinary commands, `prepare`,
`main` with `direct=true`, and `verify`, in a copy of the project for each seed; the same call goes on where a stopped
one was. One face of a pair is HR, the other made small by antialiased bicubic after alignment; of a folder all people
are named as well, whatever `--folds` says; `--verify pairs.small=each` tells both small beside.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lfw_figures
import lfw_plan

from lrface.errors import LrfaceError
from lrface.evaluation.protocol.conditions import conditions
from lrface.images.sizes import FACE_SIZE, VLR_MIN

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("MLproject", "conda.yaml", "conf", "src")
PREPARE = (
    "data.read.align.mode=none",
    "data.splits.val_subjects=24",
    "data.splits.test_subjects=2",
    "data.checks.errors=[constant]",
)
DIRECT = "models:/edgeface@direct"
PAIRS = "models:/edgeface@pretrained,models:/edgeface@finetuned"
RESOLVERS = "models:/dsr@baseline,models:/dsr@cycle"


def unpacked(sources: list[Path], out: Path) -> Path:
    """The folder, file or pack that is meant; tars are unpacked side by side, once."""
    if any(not source.exists() for source in sources):
        sys.exit(f"got {', '.join(map(str, sources))}; expected files that are there; correct the path")
    if len(sources) == 1 and not (sources[0].is_file() and tarfile.is_tarfile(sources[0])):
        return sources[0].resolve()
    done = out / "unpacked"
    if not hasattr(tarfile, "data_filter"):  # of Python 3.11.4 and later: refuses members that lead outside
        sys.exit(
            f"got a tar and Python {sys.version.split()[0]}; expected Python 3.11.4 or later, which unpacks it safely; "
            "unpack it yourself and name the folder"
        )
    said = "\n".join(f"{source.resolve()} {state_of(source)}" for source in sources)
    if not done.is_file() or done.read_text() != said:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for source in sources:
            with tarfile.open(source) as archive:
                archive.extractall(out, filter="data")
        done.write_text(said)
    inner = [path for path in out.iterdir() if path.is_dir()]
    return inner[0] if len(inner) == 1 else out


def some_folds(lfw: Path, folds: str | None, out: Path) -> Path:
    """A list with some folds of `pairs.txt` alone; the source itself where all are wanted."""
    if folds is None:
        return lfw
    if not (lfw / "pairs.txt").is_file():
        sys.exit(f"--folds: got {lfw}; expected a folder with pairs.txt; leave --folds out, or give such a folder")
    head, *lines = (lfw / "pairs.txt").read_text().strip().splitlines()
    first, _, last = folds.partition("-")
    try:
        wanted = range(int(first) - 1, int(last or first))
        numbers = [int(word) for word in head.split()]
    except ValueError:
        wanted, numbers = range(0), []
    if len(numbers) != 2 or not (0 <= wanted.start < wanted.stop <= numbers[0]) or len(wanted) < 2:
        sys.exit(f"--folds: got {folds} of a list that begins {head!r}; expected two folds or more of it, as 1-5")
    size = 2 * numbers[1]
    kept = [line for fold in wanted for line in lines[fold * size : (fold + 1) * size]]
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{lfw.name}_{folds}.txt"
    target.write_text("\n".join([f"{len(wanted)}\t{numbers[1]}", *kept]) + "\n")
    return target


def state_of(path: Path) -> str:
    """What tells one state of a file or folder from another: its bytes, or names, sizes and times of all in it."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for place in sorted(path.rglob("*")):
        if place.is_file():
            stat = place.stat()
            digest.update(f"{place.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Project:
    """A copy of the project, in which the jobs of one seed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "mlruns").is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for part in PARTS:
                (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, folder / part)
            (folder / "mlruns").mkdir()

    def job(self, step: str, name: str, words: list[str], reads: list[Path], result: Path | None = None) -> None:
        """Run a job unless the same was run to its end on what it reads now; a stopped one goes on.

        What came after it in this project is not done any more where it is run: that was about what it made before.
        """
        mark = self.folder / f"{step}.done"
        said = json.dumps([name, *words, *map(state_of, reads)])
        if mark.is_file() and mark.read_text() == said and (result is None or result.exists()):
            print(f"{self.folder.name} {step}: done before", flush=True)
            return
        for other in self.folder.glob("*.done") if step == "main" else (mark,):
            other.unlink(missing_ok=True)
        started = time.monotonic()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        with (self.folder / f"{step}.log").open("ab") as log:
            ended = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "lrface", name, *words],
                cwd=self.folder,
                env=kept | {"PYTHONPATH": str(self.folder / "src")},
                stdout=log,
                stderr=log,
                check=False,
            )
        if ended.returncode:
            last = (self.folder / f"{step}.log").read_text(errors="replace").strip().splitlines()[-1:]
            whole = f"all of it in {self.folder / step}.log"
            sys.exit(f"{self.folder.name} {step}: ended with {ended.returncode}: {' '.join(last)} ({whole})")
        mark.write_text(said)
        print(f"{self.folder.name} {step}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)


def prepared(given: argparse.Namespace) -> Path:
    source = unpacked(given.train, given.out / "train")
    if (source / "pack.json").is_file():
        return source
    pack: Path = given.out / "pack"
    words = ["--data", "folder", "--source", str(source), "--overrides", " ".join(given.prepare), "--out", str(pack)]
    Project(given.out / "prepare").job("prepare", "prepare", words, [source], pack / "pack.json")
    return pack


def trained(given: argparse.Namespace, pack: Path, seed: int) -> Project:
    project = Project(given.out / f"seed{seed}")
    project.job("main", "main", lfw_plan.main_words(given, pack, seed), [pack / "pack.json", given.edgeface])
    return project


def verified(given: argparse.Namespace, project: Project, lfw: Path, images: Path) -> None:
    """Every arm of the project under every condition, and the judge's where one is named; then people are named."""
    arms = {"": (PAIRS, f"direct={DIRECT}")}
    if given.judge:
        arms["-judge"] = (str(given.judge.resolve()), "direct=none")
    sizes = ",".join(map(str, given.sizes))
    for condition in given.conditions:
        for suffix, (recognisers, direct) in arms.items():
            step, out = f"verify-{condition}{suffix}", project.folder / f"{condition}{suffix}"
            words = ["--source", str(lfw), "--edgeface", recognisers, "--dsr", RESOLVERS, "--device", given.device]
            overrides = [f"sizes=[{sizes}]", f"degradation={condition}", direct, *given.verify]
            if lfw.suffix == ".txt":
                words += ["--kind", "lfw"]
                overrides.append(f"images='{images}'")
            words += ["--out", str(out), "--overrides", " ".join(overrides)]
            reads = [images, *([lfw] if lfw.is_file() else []), *([given.judge] if suffix else [])]
            project.job(step, "verify", words, reads, out / "metrics.json")
        if not images.is_dir():
            continue
        # Naming among many people tells apart what the pairs of two faces cannot.
        out = project.folder / f"people-{condition}"
        overrides = [f"sizes=[{sizes}]", f"degradation={condition}", f"direct={DIRECT}"]
        words = ["--source", str(images), "--kind", "people", "--edgeface", PAIRS, "--dsr", RESOLVERS]
        words += ["--device", given.device, "--out", str(out), "--overrides", " ".join(overrides)]
        project.job(f"people-{condition}", "verify", words, [images], out / "metrics.json")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="folder of people, tars of it, or a pack")
    parser.add_argument("--lfw", type=Path, required=True, help="folder with pairs.txt, a tar of it, or a .bin")
    parser.add_argument("--edgeface", type=Path, required=True, help="weights to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for projects, table and picture")
    parser.add_argument("--preset", default="real", help="of `main`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--beside", type=int, default=1, help="seeds at once: a card has room for several trainings")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="+", default=[], help="overrides of `main`")
    parser.add_argument("--prepare", metavar="KEY=VALUE", nargs="+", default=list(PREPARE), help="of `prepare`")
    parser.add_argument("--verify", metavar="KEY=VALUE", nargs="+", default=[], help="of `verify`: pairs.small=each")
    parser.add_argument("--folds", help="some folds of pairs.txt: 1-5; none: all of it")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 12, 16, 24])
    parser.add_argument("--conditions", nargs="+", default=["clean"], help="clean, misaligned, blur, noise, jpeg, all")
    parser.add_argument("--judge", type=Path, help="ONNX recogniser of others, which took no part in the training")
    parser.add_argument("--plan", action="store_true", help="say what it will take and end")
    parser.add_argument("--table", action="store_true", help="table and picture of the seeds that are done")
    return parser.parse_args()


def refuse(given: argparse.Namespace) -> None:
    """End where something could not be used, which would else be found out after hours of training."""
    if given.beside < 1:
        sys.exit(f"--beside: got {given.beside}; expected 1 or more; say how many seeds train at once")
    if len(set(given.seeds)) < len(given.seeds):
        sys.exit(f"--seeds: got {' '.join(map(str, given.seeds))}; expected different ones; name each once")
    for name, path in (("--edgeface", given.edgeface), ("--judge", given.judge), ("--lfw", given.lfw)):
        if path is not None and not path.exists():
            sys.exit(f"{name}: got {path}; expected a file or folder that is there; correct the path")
    known = conditions()
    if wrong := [name for name in given.conditions if name not in known]:
        sys.exit(f"--conditions: got {wrong[0]}; expected some of {', '.join(known)}; correct the name")
    if wrong := [str(size) for size in given.sizes if not VLR_MIN <= size < FACE_SIZE]:
        sys.exit(f"--sizes: got {wrong[0]}; expected {VLR_MIN} to {FACE_SIZE - 1}; name sides of small faces")


def main() -> int:
    given = arguments()
    refuse(given)
    given.out = given.out.resolve()
    given.out.mkdir(parents=True, exist_ok=True)
    images = unpacked([given.lfw], given.out / "lfw")
    if images.is_dir() and not (images / "pairs.txt").is_file():
        sys.exit(f"--lfw: got {given.lfw} without pairs.txt; expected a folder or tar with it, or a .bin; add the list")
    lfw = some_folds(images, given.folds, given.out)
    if not given.table:
        print("\n".join(lfw_plan.before(given)), flush=True)
        pack = prepared(given)
        try:
            print("\n".join(lfw_plan.plan(given, pack)), flush=True)
        except LrfaceError as error:
            sys.exit(str(error))
        if given.plan:
            return 0
        with ThreadPoolExecutor(given.beside) as pool:
            list(pool.map(lambda seed: verified(given, trained(given, pack, seed), lfw, images), given.seeds))
    text, picture = lfw_figures.told([given.out / f"seed{seed}" for seed in given.seeds], given)
    (given.out / "lfw.md").write_text(text)
    picture.savefig(given.out / "lfw.png", metadata={"Software": None})
    print(text)
    print(f"{given.out / 'lfw.md'}, {given.out / 'lfw.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
