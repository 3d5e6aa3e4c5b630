"""The loops of the jobs with their limits: the same forward, backward and step on a tensor that is ready."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from meter import Meter, as_graph, peak_memory
from packs import drawn_pack, vgg19_file
from torch import nn
from torch.nn import functional as F

import lrface.evaluation.protocol.feeding
import lrface.evaluation.protocol.seen
import lrface.metrics.fidelity
import lrface.tracking.runs.sender
import lrface.training.batches.mix
import lrface.training.batches.ready
import lrface.training.dsr
import lrface.training.edgeface
import lrface.training.head
import lrface.training.losses.perceptual
from lrface.cli.parameters.compose import settings_for
from lrface.cli.parameters.entry_points import COMMON
from lrface.cli.terminal.terminal import Terminal
from lrface.config import FinetuneSettings, TrainDsrSettings
from lrface.data.pack.pack import Pack
from lrface.evaluation.figures.run import embed_high, evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings
from lrface.images.degradation.degradation import SmallFaces, degrade, draw_degradation
from lrface.images.degradation.resample import shrink
from lrface.images.ranges import to_float
from lrface.images.sheet import contact_sheet
from lrface.jobs.shared.packs import recognition_data, super_resolution_data
from lrface.jobs.shared.reporter import RunReporter
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.tracking.runs.run import Run
from lrface.training.dsr import DsrRecipe, DsrTraining
from lrface.training.edgeface import EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.head import cached_embeddings, train_head
from lrface.training.loop.fit import fit
from lrface.training.loop.module import Reporter, TrainingModule
from lrface.training.losses.margin import MarginHead


class Quiet(Terminal):
    """Says nothing: the table is what a person wants to see."""

    def line(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Bench:
    """What all loops share.

    Attributes:
        folder: For working files.
        pack: Drawn faces.
        run: A run in a real store.
        device: Where the networks run.
        steps: Steps that are measured of a loop.
        batch: Faces in a batch of the super-resolver's training.
        finetune_batch: Faces in a batch of stage 2.
        embed_batch: Faces in a batch of stage 1, of embedding and of an evaluation.
        val_faces: Faces of the validation at the end of an epoch.
    """

    folder: Path
    pack: Pack
    run: Run
    device: torch.device
    steps: int
    batch: int = 16
    finetune_batch: int = 32
    embed_batch: int = 64
    val_faces: int = 40

    @property
    def chunk(self) -> int:
        return 1 if self.device.type == "cpu" else min(20, self.steps)

    def reporter(self) -> Reporter:
        return RunReporter(self.run, Quiet())

    def recogniser(self) -> EdgeFace:
        return EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False).to(self.device)


@dataclass
class Restorer:
    """A super-resolver that notes how many faces of the last batch were its share, so that the limit restores as many.

    Attributes:
        network: The super-resolver.
        faces: What it restored last.
    """

    network: DSR
    faces: int = 0

    def __call__(self, small: SmallFaces) -> torch.Tensor:
        self.faces = len(small.size)
        restored: torch.Tensor = self.network.restore(small)
        return restored

    def as_many(self, small: SmallFaces) -> None:
        """Restore as many of these; `small` holds a whole batch."""
        faces, self.faces = self.faces, 0
        if faces:
            self.network.restore(SmallFaces(small.enlarged[:faces], small.size[:faces]))


@dataclass(frozen=True)
class Found:
    """A loop's figures.

    Attributes:
        loop: Its name.
        images_per_s: Of the real loop.
        limit_images_per_s: Of the limit.
        peak_mb: Most memory, the limit's copy of the networks included.
        parts: Share of the real loop's time by part, in percent.
        between_s: Seconds at the end of an epoch (validation, checkpoint, picture), where there is one.
    """

    loop: str
    images_per_s: float
    limit_images_per_s: float
    peak_mb: float
    parts: dict[str, float]
    between_s: float | None = None

    @property
    def ratio(self) -> float:
        return self.images_per_s / self.limit_images_per_s

    def record(self) -> dict[str, object]:
        return {
            "loop": self.loop,
            "images_per_s": round(self.images_per_s, 2),
            "limit_images_per_s": round(self.limit_images_per_s, 2),
            "ratio": round(self.ratio, 3),
            "peak_mb": round(self.peak_mb),
        }


def _found(loop: str, meter: Meter, images: float, peak: list[float]) -> Found:
    # The middle half of each: a step that something else interrupted says nothing about the loop.
    real, bound = _middle(meter.real), _middle(meter.bound)
    whole = sum(meter.real) + sum(meter.between)
    between = max(0.0, float(np.median(meter.between)) - real) if meter.between else None
    parts = {name: 100 * spent / whole for name, spent in sorted(meter.parts.items(), key=lambda item: -item[1])}
    return Found(loop, images / real, images / bound, peak[0], parts, between)


def _middle(spent: list[float]) -> float:
    ordered = np.sort(spent)
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


LOADING = (Pack, "batch", "load")
LOGGING = (lrface.tracking.runs.sender, "deliver", "log")


def dsr_settings(losses: str, bench: Bench) -> TrainDsrSettings:
    """`pixel`, `real` (the preset) or `full` (the defaults, with VGG19)."""
    if losses == "full":
        weights = vgg19_file(bench.folder)
        given = {"overrides": f"loss.perceptual_network.weights={weights}"}
    else:
        given = {"preset": "real", "data": "procedural", "overrides": ""}
    if losses == "pixel":
        given["overrides"] += " loss.identity=0 loss.feature=0 loss.contrast=0 loss.tv=0"
    given["overrides"] += (
        f" loop.batch_size={bench.batch} loop.epochs=2 loop.val_faces={bench.val_faces} loop.patience=0"
    )
    return settings_for("train_dsr", TrainDsrSettings, given, COMMON)


def dsr_training(settings: TrainDsrSettings, bench: Bench, folder: Path, images: int) -> DsrTraining:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DSR(settings.dsr, settings.network)
    recipe = DsrRecipe(settings.loop, settings.optim, settings.loss, settings.degradation, settings.augmentation)
    # A made-up file of VGG19 has another hash than the real one.
    lrface.training.losses.perceptual.SHA256_PREFIX["vgg19"] = ""
    return DsrTraining(
        network,
        bench.recogniser(),
        super_resolution_data(bench.pack, images, settings.drawn_share, settings.loop.val_faces),
        recipe,
        seed=0,
        report=bench.reporter(),
        folder=folder,
        sheet=lambda rows, titles: contact_sheet(np.concatenate(list(rows)), columns=len(rows[0]), titles=titles),
        device=bench.device,
    )


def dsr_limit(training: DsrTraining, batch: int, device: torch.device) -> Callable[[], object]:
    """Forward, every loss term, backward and step, on faces that are augmented and shrunk already."""
    network = copy.deepcopy(training.dsr).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True, capturable=device.type == "cuda")
    generator = torch.Generator().manual_seed(0)
    hr = to_float(training.data.pack.batch(np.resize(training.data.groups[0], batch))).to(device)
    small = degrade(hr, draw_degradation(training.recipe.degradation, batch, generator))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        terms = training.terms(training.restore(network, small), hr, small.size)
        torch.autograd.backward(terms.total)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return as_graph(step, device)


def _parts(
    bench: Bench, module: ModuleType, training: type[TrainingModule], small: ModuleType | None = None
) -> list[tuple[Any, str, str]]:
    """What a step of a training does beside the networks, and the name that its time goes under.

    `small` is the module that makes faces small, where it is not the training's own.

    On a GPU faces are made ready beside the steps, so that only waiting for them counts.
    """
    if bench.device.type == "cuda":
        return [(lrface.training.batches.ready, "_result", "waiting for faces"), (training, "validate", "validation")]
    return [
        LOADING,
        LOGGING,
        (module, "augmented_by", "augment"),
        (small or module, "draw_degradation", "degrade"),
        (small or module, "degrade", "degrade"),
        (training, "validate", "validation"),
    ]


def dsr(bench: Bench, losses: str) -> Found:
    settings = dsr_settings(losses, bench)
    images = bench.batch * (-(-(bench.steps + 4) // 2))
    with peak_memory(bench.device) as peak:
        training = dsr_training(settings, bench, bench.folder / f"dsr_{losses}", images)
        limit = dsr_limit(training, bench.batch, bench.device)
        epoch = images // bench.batch
        meter = Meter(bench.device, limit, bench.chunk, apart=lambda step: (step + 1) % epoch == 0)
        training.data.validation.small(slice(0, 2), bench.device)
        with meter.timing(*_parts(bench, lrface.training.dsr, DsrTraining)):
            fit(training, bench.device, meter.tick)
    return _found(f"dsr {losses}", meter, bench.batch, peak)


def finetune_settings(bench: Bench) -> FinetuneSettings:
    changed = f"loop.epochs=2 loop.val_faces={bench.val_faces} loop.batch_size={bench.finetune_batch}"
    given = {"preset": "real", "data": "procedural", "overrides": changed}
    return settings_for("finetune", FinetuneSettings, given, COMMON)


def _recipe(settings: FinetuneSettings) -> EdgeFaceRecipe:
    return EdgeFaceRecipe(
        settings.loop, settings.optim, settings.mix, settings.degradation, settings.augmentation, settings.collapse
    )


def restoring(bench: Bench) -> DSR:
    return DSR("base").eval().requires_grad_(False).to(bench.device)


def finetune_training(
    settings: FinetuneSettings, bench: Bench, folder: Path, images: int, restore: Restorer
) -> EdgeFaceTraining:
    data = recognition_data(bench.pack, images, settings.loop.val_faces)
    anchor = bench.recogniser()
    head = MarginHead(settings.margin, data.classes, torch.Generator().manual_seed(0))
    return EdgeFaceTraining(
        copy.deepcopy(anchor).requires_grad_(True),
        anchor,
        head,
        restore,
        data,
        _recipe(settings),
        seed=0,
        report=bench.reporter(),
        folder=folder,
        device=bench.device,
    )


def finetune_limit(training: EdgeFaceTraining, restore: Restorer, device: torch.device) -> Callable[[], object]:
    """SR of its share, the anchor's pass, then forward, loss, backward and step, on faces that are mixed already."""
    recipe, batch = training.recipe, training.recipe.loop.batch_size
    network, head = copy.deepcopy(training.edgeface).train(), copy.deepcopy(training.head)
    anchor = training._frozen[0]
    parameters = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, fused=True, capturable=device.type == "cuda")
    generator = torch.Generator().manual_seed(0)
    rows = np.resize(training.data.rows, batch)
    hr = to_float(training.data.pack.batch(rows)).to(device)
    labels = torch.from_numpy(np.resize(training.data.people, batch)).to(device)
    small = degrade(hr, draw_degradation(recipe.degradation, batch, generator))

    shares = recipe.mix.sr / (recipe.mix.sr + recipe.mix.bicubic + recipe.mix.hr)
    on_gpu = device.type == "cuda"

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            # A graph holds one number of faces; on a GPU they are restored in groups, not batch by batch.
            restore.faces = round(shares * batch) if on_gpu else restore.faces
            restore.as_many(small)
            wanted = anchor(hr) if anchor is not None and recipe.optim.anchor else None
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=training.bf16):
            embeddings = network(hr)
        loss = head(embeddings, labels)
        if wanted is not None:
            loss = loss + (1 - F.cosine_similarity(embeddings, wanted)).mean()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    return as_graph(step, device)


def stage_2(bench: Bench) -> Found:
    settings = finetune_settings(bench)
    batch = settings.loop.batch_size
    images = batch * (-(-(bench.steps + 4) // 2))
    with peak_memory(bench.device) as peak:
        restore = Restorer(restoring(bench))
        training = finetune_training(settings, bench, bench.folder / "stage_2", images, restore)
        limit = finetune_limit(training, restore, bench.device)
        epoch = images // batch
        meter = Meter(bench.device, limit, bench.chunk, apart=lambda step: (step + 1) % epoch == 0)
        with meter.timing(*_parts(bench, lrface.training.edgeface, EdgeFaceTraining, lrface.training.batches.mix)):
            fit(training, bench.device, meter.tick)
    return _found("stage 2", meter, batch, peak)


def stage_1(bench: Bench) -> Found:
    """Each face once as it is and once mirrored, then five epochs of the class centres."""
    settings = finetune_settings(bench)
    steps = bench.steps // 2 + 3
    with peak_memory(bench.device) as peak:
        restore, network = Restorer(restoring(bench)), bench.recogniser()
        data = recognition_data(bench.pack, 0, 40)
        count = bench.embed_batch * steps
        rows, people = np.resize(data.rows, count), np.resize(data.people, count)
        data = type(data)(data.pack, rows, people, 0, data.validation)
        recipe = _recipe(settings)
        hr = to_float(data.pack.batch(rows[: bench.embed_batch])).to(bench.device)
        generator = torch.Generator().manual_seed(0)
        small = degrade(hr, draw_degradation(recipe.degradation, bench.embed_batch, generator))

        @torch.no_grad()
        def limit() -> None:
            restore.as_many(small)
            network(hr)
            network(hr)

        meter = Meter(bench.device, limit, 1, apart=lambda step: step == steps - 1)
        place = lrface.training.batches.mix
        with meter.timing(LOADING, (place, "draw_degradation", "degrade"), (place, "degrade", "degrade")):
            embeddings, labels = cached_embeddings(
                network, restore, data, recipe, generator, bench.device, meter.tick, bench.embed_batch
            )
            head = MarginHead(settings.margin, data.classes, generator)
            ready, batch = _head_limit(head, embeddings, labels, settings), settings.loop.batch_size
            before = meter.now()
            train_head(head, embeddings, labels, settings.head, batch, 0)
            between = meter.now()
            ready(settings.head.epochs * -(-len(labels) // batch))
            bound = meter.now() - between
            epochs = between - before
    found = _found("stage 1", meter, bench.embed_batch, peak)
    parts = found.parts | {f"{settings.head.epochs} epochs of the head": 100 * epochs / sum(meter.real)}
    each = bench.embed_batch / found.images_per_s + epochs / steps
    least = bench.embed_batch / found.limit_images_per_s + bound / steps
    return Found(found.loop, bench.embed_batch / each, bench.embed_batch / least, found.peak_mb, parts)


def _head_limit(
    head: MarginHead, embeddings: torch.Tensor, labels: torch.Tensor, settings: FinetuneSettings
) -> Callable[[int], None]:
    own, batch = copy.deepcopy(head), settings.loop.batch_size
    optimizer = torch.optim.AdamW(own.parameters(), lr=settings.head.lr, weight_decay=0.0, fused=True)
    values, people = embeddings[:batch].clone(), labels[:batch].clone()

    def steps(count: int) -> None:
        for _ in range(count):
            torch.autograd.backward(own(values, people))
            nn.utils.clip_grad_norm_(own.parameters(), settings.head.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return steps


def embed(bench: Bench) -> Found:
    rows = np.resize(np.arange(len(bench.pack)), bench.embed_batch * (bench.steps + 3))
    with peak_memory(bench.device) as peak:
        network = bench.recogniser()
        hr = to_float(bench.pack.batch(rows[: bench.embed_batch])).to(bench.device)

        @torch.inference_mode()
        def limit() -> None:
            network(hr)

        meter = Meter(bench.device, limit, bench.chunk)

        def embedder(images: torch.Tensor) -> torch.Tensor:
            embeddings: torch.Tensor = network(images)
            meter.tick()
            return embeddings

        with meter.timing((lrface.evaluation.protocol.feeding, "to_float", "load")):
            embed_high(bench.pack.faces, rows.tolist(), embedder, bench.embed_batch, bench.device)
    return _found("embed", meter, bench.embed_batch, peak)


def evaluation(bench: Bench) -> Found:
    """Bicubic and DSR at five sizes, and HR; what is counted is a probe that all arms have seen at one size."""
    names = bench.pack.manifest["source"].to_numpy()
    repeats = -(-bench.embed_batch * 2 // len(bench.pack))
    faces = np.concatenate([bench.pack.faces] * repeats)
    subjects = np.concatenate([bench.pack.subjects(np.arange(len(bench.pack)))] * repeats)
    rows = np.arange(len(faces))
    sources = np.array([f"{place}/{names[place % len(names)]}" for place in rows])
    protocol = draw_protocol(rows, subjects, sources, ProtocolSettings(), bench.pack.digest)
    sizes = (8, 12, 16, 24, 32)[: max(2, bench.steps // 6)]
    settings = EvaluationSettings(replicates=100, batch=bench.embed_batch)
    with peak_memory(bench.device) as peak:
        network, resolver = bench.recogniser(), restoring(bench)
        batch = min(settings.batch, len(protocol.probe_rows))
        hr = to_float(faces[:batch]).to(bench.device)
        small = shrink(hr, 16)

        @torch.inference_mode()
        def limit() -> None:
            network(bicubic(small))
            network(resolver(small))

        per_pass = -(-len(protocol.probe_rows) // batch)
        # Only whole batches count, and none that the measuring of a condition lies before.
        meter = Meter(
            bench.device,
            limit,
            1,
            warm_up=per_pass,
            apart=lambda step: (step + 1) % per_pass in {0, per_pass - 1} or (step + 2) % per_pass == 0,
        )
        arms = [Arm("hr", network), Arm("bicubic", network, bicubic), Arm("dsr", network, resolver, None, 8, 32)]
        load, near = lrface.evaluation.protocol.feeding, lrface.evaluation.protocol.seen
        with meter.timing((load, "to_float", "load"), (near, "psnr", "PSNR and SSIM"), (near, "ssim", "PSNR and SSIM")):
            evaluate(faces, protocol, arms, sizes, settings=settings, device=bench.device, progress=meter.tick)
    found = _found("evaluate", meter, batch, peak)
    return Found(found.loop, found.images_per_s, found.limit_images_per_s, found.peak_mb, found.parts)


LOOPS: dict[str, Callable[[Bench], Found]] = {
    "embed": embed,
    "stage 1": stage_1,
    "stage 2": stage_2,
    "dsr pixel": lambda bench: dsr(bench, "pixel"),
    "dsr real": lambda bench: dsr(bench, "real"),
    "dsr full": lambda bench: dsr(bench, "full"),
    "evaluate": evaluation,
}

__all__ = ["LOOPS", "Bench", "Found", "drawn_pack"]
