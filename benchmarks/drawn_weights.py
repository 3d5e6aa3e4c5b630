"""How well the recogniser of the package (`edgeface=drawn`) knows people whom it has not seen: the table of its card.

    python benchmarks/drawn_weights.py [--weights FOLDER] [--people 100] [--faces CACHE.npy]

The first picture of each person is enrolled, the others are probes: full-size, and shrunk (bicubic) and enlarged again.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from lrface.images.degradation.resample import enlarge, shrink
from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.metrics.statistics import draw_weights, proportion_interval
from lrface.metrics.verification import tar_at_far
from lrface.models.checkpoint.doctor import load_edgeface
from lrface.models.edgeface.network import EdgeFace
from lrface.models.weights.shipped import shipped_folder
from lrface.training.validation import embed_all

SEED, PICTURES, REPLICATES = 77, 10, 2000
SIZES = (8, 12, 16, 24)
CPU = torch.device("cpu")


def drawn(people: int, cache: Path | None) -> np.ndarray:
    """Faces of people of a population of their own, n x 10 x 112 x 112 x 3."""
    if cache is not None and cache.is_file():
        kept: np.ndarray = np.load(cache)
        return kept
    settings = ProceduralSettings(subjects=people, images_per_subject=PICTURES, seed=SEED)
    faces = np.stack([face for _, _, face in render_faces(settings)]).reshape(people, PICTURES, 112, 112, 3)
    if cache is not None:
        np.save(cache, faces)
    return faces


@torch.inference_mode()
def seen(network: EdgeFace, faces: np.ndarray, size: int | None) -> np.ndarray:
    """Embeddings, people x pictures x 512; of faces that were `size` pixels wide where one is given."""

    def embed(images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = network(images if size is None else enlarge(shrink(images, size)))
        return found

    flat = embed_all(faces.reshape(-1, 112, 112, 3), embed, CPU)
    return flat.numpy().reshape(*faces.shape[:2], -1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=shipped_folder())
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--faces", type=Path)
    given = parser.parse_args()
    network, loaded = load_edgeface(given.weights)
    faces = drawn(given.people, given.faces)
    whole = seen(network, faces, None)
    print(f"{loaded.sha256}, {faces.shape[0]} people, {faces.shape[1]} pictures each, seed {SEED}\n")
    print("| side | rank-1 [95 %] | TAR at FAR 1e-2 | at 1e-3 | same person, cosine | strangers, cosine |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in (None, *reversed(SIZES)):
        probes = (whole if size is None else seen(network, faces, size))[:, 1:]
        scores = np.einsum("pkd,gd->pkg", probes, whole[:, 0])
        right = scores.argmax(2) == np.arange(len(scores))[:, None]
        mate = np.eye(len(scores), dtype=bool)[:, None].repeat(right.shape[1], 1)
        genuine, strangers = scores[mate], scores[~mate]
        of_each = right.mean(axis=1)
        weights = draw_weights(len(of_each), REPLICATES, SEED)
        found = proportion_interval(
            float(right.mean()), weights @ of_each / weights.sum(1), len(of_each), probes=right.size
        )
        rates = [tar_at_far(genuine, strangers, far).value for far in (1e-2, 1e-3)]
        print(
            f"| {size or '112 (HR)'} | {right.mean():.3f} [{found.low:.3f}, {found.high:.3f}] | {rates[0]:.3f} | "
            f"{rates[1]:.3f} | {genuine.mean():.2f} | {strangers.mean():.2f} |"
        )


if __name__ == "__main__":
    main()
