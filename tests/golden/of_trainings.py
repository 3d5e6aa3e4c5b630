"""One step of each training, with what is validated after it; and the figures that a report shows."""

import re
import tempfile
from html import unescape
from pathlib import Path

import numpy as np
import torch

from lrface.data.pack.writer import write_pack
from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.report.report import ReportInput, make_report
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.models.dsr.network import DSR
from lrface.models.settings import DsrSettings
from lrface.training.dsr import DsrData, DsrRecipe, DsrTraining
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.loop.fit import fit
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.settings import (
    CollapseSettings,
    DsrOptimSettings,
    EdgeFaceOptimSettings,
    LoopSettings,
    MixSettings,
)
from lrface.training.validation import validation_set

from .inputs import IMAGES, PEOPLE, filled, stored_faces
from .of_networks import dsr_of, shipped
from .summary import Tolerance

TINY = DsrSettings(channels=(8,), blocks=(1,), attention_heads=2, finish=0)
STEP = Tolerance(2e-5, 2e-4, "AdamW divides a gradient by its own size: where it is all but 0, its sign is of rounding")
TOLD = Tolerance(2e-3, 5e-3, "figures of validation, PSNR in decibels among them, behind such a step")
SHOWN = Tolerance(0.02, 0.11, "figures are shown with one or two digits, and the last may be rounded the other way")
CPU = torch.device("cpu")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Silent:
    """A reporter that says nothing."""

    def metrics(self, values, epoch): ...

    def line(self, text): ...

    def finding(self, finding): ...

    def image(self, name, image, epoch): ...


def _population():
    """The stored faces and their mirror images: four of each person."""
    faces = stored_faces()
    both = np.stack([faces, faces[:, :, ::-1]], axis=1).reshape(-1, 112, 112, 3)
    return both, [f"p{person}" for person in range(PEOPLE) for _ in range(2 * IMAGES)]


def _pack(folder):
    faces, names = _population()
    superres = [{"p2": "val", "p3": "test"}.get(name, "train") for name in names]
    recognition = ["none" if name == "p3" else "val" if place % 4 == 3 else "train" for place, name in enumerate(names)]
    return write_pack(folder, faces, names, superres=superres, recognition=recognition, licence="CC0-1.0")


def _weights(network):
    return torch.cat([value.detach().reshape(-1) for value in network.state_dict().values()])


def _history(outcome):
    (epoch,) = outcome.history
    # a sum over all pixels is told in thousands
    return sorted(epoch), [epoch[name] / (1000 if "tv" in name else 1) for name in sorted(epoch)]


def steps():
    """Four faces, one step, the weights after it, and the figures of its epoch."""
    with tempfile.TemporaryDirectory() as scratch:
        pack = _pack(Path(scratch) / "pack")
        loop = LoopSettings(epochs=1, batch_size=4, precision="fp32")
        degradation, augmentation = DegradationSettings(), AugmentationSettings()
        val = pack.rows(superres="val")
        data = DsrData(
            pack, (pack.rows(superres="train"),), (1.0,), 4, validation_set(pack.faces, val, pack.labels(val)[0], 4)
        )
        loss = DsrLossSettings(contrast=0.1, perceptual_network=PerceptualSettings(weights="none"))
        dsr = filled(DSR("edge", TINY), "dsr/tiny", last=("tail.weight", "out.weight", "steer.weight"))
        module = DsrTraining(
            dsr.requires_grad_(True), shipped(), data,
            DsrRecipe(loop, DsrOptimSettings(lr=1e-3, ema=0.9), loss, degradation, augmentation),
            seed=0, report=Silent(), folder=Path(scratch) / "dsr", device=CPU,
            sheet=lambda rows, titles: np.zeros((1, 1, 3), np.uint8),
        )  # fmt: skip
        module.score = lambda metrics: [float(len(module.history))]  # keep what the step made
        names, figures = _history(fit(module, CPU))
        yield "dsr/weights", _weights(module.dsr), STEP
        yield "dsr/figures", figures, TOLD
        yield "dsr/names", names, Tolerance(0, 0, "a list of names")

        rows, val = pack.rows(recognition="train"), pack.rows(recognition="val")
        labels, people = pack.labels(rows)
        known = np.array([people.index(name) for name in pack.subjects(val)])
        edgeface = EdgeFaceData(pack, rows, labels, 4, validation_set(pack.faces, val, known, 4))
        head = MarginHead(MarginSettings(), edgeface.classes, torch.Generator().manual_seed(1))
        recipe = EdgeFaceRecipe(
            loop, EdgeFaceOptimSettings(backbone_lr=1e-4, head_lr=1e-2), MixSettings(), degradation, augmentation,
            CollapseSettings(impostor_max=1.0, effective_rank_min=1.0),
        )  # fmt: skip
        recogniser = EdgeFaceTraining(
            shipped().requires_grad_(True), shipped(), head, dsr_of("edge").restore, edgeface, recipe,
            seed=0, report=Silent(), folder=Path(scratch) / "edgeface", device=CPU,
        )  # fmt: skip
        recogniser.score = lambda metrics: [float(len(recogniser.history))]
        names, figures = _history(fit(recogniser, CPU))
        yield "edgeface/weights", _weights(recogniser.edgeface), STEP
        yield "edgeface/centres", head.centres, STEP
        yield "edgeface/figures", figures, TOLD
        yield "edgeface/names", names, Tolerance(0, 0, "a list of names")


def report():
    """The numbers in the tables of the page, table by table, and the words around them."""
    faces, names = _population()
    paths = [f"{name}/{place}.png" for place, name in enumerate(names)]
    protocol = draw_protocol(range(len(names)), names, paths, ProtocolSettings(), "a" * 64)
    network = shipped()
    arms = [Arm("hr", network), Arm("bicubic", network, bicubic), Arm("dsr", network, dsr_of("edge"), None, 8, 32)]
    with torch.no_grad():
        results = evaluate(faces, protocol, arms, [16], settings=EvaluationSettings(replicates=100))
        page = make_report(ReportInput(results, Cell("dsr", 16, "clean"), faces, arms, heading="Golden")).page
    for place, table in enumerate(re.findall(r"<table.*?</table>", page, flags=re.DOTALL)):
        parts = re.findall(r"<t[hd].*?</t[hd]>", table, flags=re.DOTALL)
        cells = [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in parts]
        yield f"table_{place}/words", [NUMBER.sub("#", cell) for cell in cells] or [""], Tolerance(0, 0, "words")
        numbers = [float(number) for cell in cells for number in NUMBER.findall(cell)]
        if numbers:
            yield f"table_{place}/numbers", numbers, SHOWN
