"""How many photographs a second `prepare` finds faces in, beside another version of the project.

    python benchmarks/finding.py --weights face_detection_yunet_2023mar.onnx --faces FOLDER --against ../other/src

Photographs are composed: aligned faces (FOLDER, or drawn ones), tilted by 8 degrees (standard deviation) and scaled at
random, before soft backgrounds with noise, as JPEG. Each version makes a pack of them in a process of its own with one
worker, in turn; what counts is processor time from the first face to the last, so without the start. Then both are held
against each other: faces missed, landmarks against where the faces were put, pixels of an aligned face.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lrface.data.faces.aligner import Aligner
from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, DetectorSettings, ReadSettings, SplitSettings
from lrface.data.sources.folder import FolderSource
from lrface.images.alignment import TEMPLATE
from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.images.reading.reader import IMAGE_SUFFIXES, read_image

PLACES = "places.json"
PER_PERSON = 4
Marks = dict[str, list[list[float]] | None]


@dataclass(frozen=True)
class Measured:
    """What a version did.

    Attributes:
        seconds: Of processor time, a photograph.
        digest: Of the pack.
        landmarks: Of each photograph, five (x, y), pixels; None where no face was found.
    """

    seconds: float
    digest: str
    landmarks: Marks


def aligned_faces(folder: Path | None, count: int) -> list[np.ndarray]:
    """Aligned faces, 112 x 112, from a folder or drawn."""
    if folder is None:
        settings = ProceduralSettings(subjects=-(-count // PER_PERSON), images_per_subject=PER_PERSON, seed=1)
        return [pixels for _, _, pixels in render_faces(settings, workers=1)][:count]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    chosen = np.random.default_rng(7).permutation(len(files))[:count]
    return [read_image(files[number], files[number].name, 10**6) for number in sorted(chosen)]


def compose(root: Path, faces: list[np.ndarray], size: tuple[int, int], sides: tuple[float, float]) -> None:
    """Writes photographs, and where the template's landmarks lie in each."""
    width, height = size
    generator = np.random.default_rng(7)
    mask = cv2.ellipse(np.zeros((112, 112), np.float32), (56, 56), (50, 55), 0, 0, 360, 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4)
    places = {}
    for number, face in enumerate(faces):
        light = generator.integers(0, 256, (6, 5, 3)).astype(np.float32)
        behind = cv2.resize(light, size, interpolation=cv2.INTER_CUBIC) + generator.normal(0, 6, (height, width, 3))
        side = generator.uniform(*sides)
        matrix = cv2.getRotationMatrix2D((55.5, 55.5), generator.normal(0, 8), side / 112)
        matrix[:, 2] += [generator.uniform(0.7 * side, length - 0.7 * side) - 55.5 for length in size]
        pasted = cv2.warpAffine(face.astype(np.float32), matrix, size, flags=cv2.INTER_CUBIC)
        share = cv2.warpAffine(mask, matrix, size)[..., None]
        pixels = np.clip(behind * (1 - share) + pasted * share, 0, 255).astype(np.uint8)
        name = f"p{number // PER_PERSON:04d}/{number}.jpg"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        places[name] = (TEMPLATE @ matrix[:, :2].T + matrix[:, 2]).tolist()
    (root.parent / PLACES).write_text(json.dumps(places))


def measured(root: Path, weights: Path, out: Path) -> None:
    """What this version does with the photographs: seconds a photograph, the pack's digest, landmarks."""
    cv2.setNumThreads(1)
    align = AlignSettings(mode="yunet", detector=DetectorSettings(weights=str(weights)), on_no_face="skip")
    source = FolderSource(root, ReadSettings(workers=1, align=align))
    times: list[float] = []
    checks = CheckSettings(errors=())
    with tempfile.TemporaryDirectory() as scratch:
        pack, _ = prepare(
            source,
            Path(scratch) / "pack",
            SplitSettings(),
            checks,
            progress=lambda *_: times.append(time.process_time()),
        )
    aligner = Aligner(align)
    detector = aligner._detector
    assert detector is not None
    marks = {}
    for name in json.loads((root.parent / PLACES).read_text()):
        found = detector.find(read_image(root / name, name, 10**8))
        marks[name] = None if found is None else found.landmarks.tolist()
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    out.write_text(json.dumps({"seconds": seconds, "digest": pack.info.digest, "landmarks": marks}))


def run(source: Path, root: Path, weights: Path) -> Measured:
    """Measure a version in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "found.json"
        words = [sys.executable, __file__, "--weights", str(weights), "--child", str(root), "--out", str(out)]
        subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(source)})  # noqa: S603
        return Measured(**json.loads(out.read_text()))


def apart(marks: Marks, others: Marks) -> np.ndarray:
    """Distances of landmarks, n x 5, pixels of an aligned face of the second."""
    pairs = [(np.array(marks[name]), np.array(other)) for name, other in others.items() if marks[name] and other]
    sides = [np.linalg.norm(other[0] - other[1]) / np.linalg.norm(TEMPLATE[0] - TEMPLATE[1]) for _, other in pairs]
    return np.array([np.linalg.norm(one - two, axis=1) / side for (one, two), side in zip(pairs, sides, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="face_detection_yunet_2023mar.onnx")
    parser.add_argument("--faces", type=Path, help="a folder of aligned faces; drawn ones where none is given")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", default="409x500", help="of the photographs, width x height")
    parser.add_argument("--sides", default="60,240", help="of the faces, pixels")
    parser.add_argument("--against", type=Path, help="the folder src of another version")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.weights.is_file():
        sys.exit(f"--weights: got {options.weights}, no such file; expected YuNet; name its .onnx")
    if options.faces and not options.faces.is_dir():
        sys.exit(f"--faces: got {options.faces}, no such folder; expected aligned faces; name it, or leave it out")
    if options.against and not (options.against / "lrface" / "data" / "faces").is_dir():
        sys.exit(f"--against: got {options.against}; expected the folder src of a version with lrface/data/faces in it")
    if options.child:
        measured(options.child, options.weights, options.out)
        return
    width, height = (int(part) for part in options.size.split("x"))
    least, most = (float(part) for part in options.sides.split(","))
    versions = {"now": Path(__file__).resolve().parent.parent / "src"}
    if options.against:
        versions = {"other": options.against.resolve(), **versions}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "photographs"
        compose(root, aligned_faces(options.faces, options.images), (width, height), (least, most))
        rounds = [
            {name: run(path, root, options.weights) for name, path in versions.items()} for _ in range(options.rounds)
        ]
        places = json.loads((root.parent / PLACES).read_text())
    for name in versions:
        found = rounds[0][name]
        off = apart(found.landmarks, places)
        missed = sum(marks is None for marks in found.landmarks.values())
        rates = ", ".join(f"{1 / each[name].seconds:.1f}" for each in rounds)
        print(f"{name}: {rates} photographs a second and core, pack {found.digest[:12]}")
        print(f"  {missed} of {len(places)} missed")
        print(f"  landmarks off by {off.mean():.2f} on average, {np.percentile(off, 95):.2f} at 95 %")
    if options.against:
        ratios = [each["other"].seconds / each["now"].seconds for each in rounds]
        between = apart(rounds[0]["now"].landmarks, rounds[0]["other"].landmarks)
        print(f"times as many now: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        print(f"landmarks of the two differ by {between.max():.4f} at most, {between.mean():.6f} on average")


if __name__ == "__main__":
    main()
