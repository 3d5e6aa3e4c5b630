"""Stage 1 of fine-tuning against one embedding pass, in one run: five epochs must cost under half a pass more.

PYTHONPATH=src python benchmarks/stage_1.py
"""

import time

import numpy as np
import torch

from lrface.images.ranges import to_float
from lrface.models.edgeface.network import EdgeFace
from lrface.training.head import train_head
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import MarginSettings
from lrface.training.settings import HeadSettings

FACES, CLASSES, ROUNDS = 1024, 128, 3


def main() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (FACES, 112, 112, 3), dtype=np.uint8)
    labels = torch.arange(FACES) % CLASSES
    network = EdgeFace("xxs").eval()
    ratios = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with torch.no_grad():
            embeddings = torch.cat([network(to_float(faces[start : start + 64])) for start in range(0, FACES, 64)])
        embedded = time.perf_counter()
        head = MarginHead(MarginSettings(), CLASSES, torch.Generator().manual_seed(0))
        train_head(head, embeddings, labels, HeadSettings(), batch_size=32, seed=0)
        trained = time.perf_counter()
        ratios.append((trained - started) / (embedded - started))
        print(f"pass {embedded - started:.2f} s, five epochs {trained - embedded:.2f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {float(np.median(ratios)):.2f} (target: under 1.5)")


if __name__ == "__main__":
    main()
