"""Packs to measure on, and weights of VGG19 that nobody trained: nothing is downloaded."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torchvision.models import vgg19

from lrface.data.pack.pack import Pack, PackInfo
from lrface.data.pack.writer import write_pack
from lrface.images.procedural import ProceduralSettings, render_faces, subject_name


def drawn_pack(folder: Path, subjects: int = 14, images: int = 6, workers: int = 0) -> Pack:
    """Drawn people; the last two are for validation, of the others one picture each judges the recogniser."""
    drawn = list(render_faces(ProceduralSettings(subjects=subjects, images_per_subject=images), workers=workers))
    return write_pack(
        folder,
        np.stack([pixels for _, _, pixels in drawn]),
        [subject_name(subject) for subject, _, _ in drawn],
        superres=["val" if subject >= subjects - 2 else "train" for subject, _, _ in drawn],
        recognition=["val" if image == images - 1 else "train" for _, image, _ in drawn],
        licence="CC0-1.0",
    )


def large_pack(folder: Path, small: Pack, count: int, subjects: int, *, sparse: bool) -> Pack:
    """A pack of any size out of a small one: its faces over and over, or none at all where the file may be sparse.

    Ten validation subjects, and every tenth picture judges the recogniser.
    """
    folder.mkdir(parents=True)
    faces = np.lib.format.open_memmap(folder / "faces.npy", mode="w+", dtype=np.uint8, shape=(count, 112, 112, 3))
    if not sparse:
        block = small.faces[:]
        for start in range(0, count, len(block)):
            faces[start : start + len(block)] = np.roll(block, start % 7, axis=2)[: count - start]
    faces.flush()
    del faces
    numbers = np.arange(count)
    subject = numbers % subjects
    manifest = pd.DataFrame(
        {
            "row": numbers,
            "source": [f"{number}.png" for number in numbers],
            "subject": [f"p{number:05d}" for number in subject],
            "sha256": "0" * 64,
            "width": 112,
            "height": 112,
            "superres": np.where(subject >= subjects - 10, "val", "train"),
            "recognition": np.where(numbers // subjects % 10 == 9, "val", "train"),
        }
    )
    digest = f"{count:064x}"
    info = PackInfo(format_version=1, rows=count, subjects=subjects, digest=digest)
    return Pack(folder, np.load(folder / "faces.npy", mmap_mode="r"), manifest, digest, info)


def vgg19_file(folder: Path) -> Path:
    """Random weights in torchvision's layout. The classifier, which no loss needs, takes no room in the file."""
    path = folder / "vgg19-random.pth"
    if not path.is_file():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state = vgg19(init_weights=False).state_dict()
        thin = {name: torch.zeros(1).expand(value.shape) for name, value in state.items() if "classifier" in name}
        torch.save(state | thin, path)
    return path
