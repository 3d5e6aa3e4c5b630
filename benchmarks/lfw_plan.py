"""What `lfw.py` will take: faces of each training as the config says, at rates that are measured on the spot."""

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from lrface.cli.parameters.compose import settings_for
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.cli.parameters.stages import DIRECT, own_overrides, stage_configs
from lrface.config import EvaluateSettings, FinetuneSettings, MainSettings, TrainDsrSettings
from lrface.data.pack.pack import Pack, open_pack
from lrface.models.device import pick_device
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace

LFW_FACES = 4_000
"""About so many different faces are made small for ten folds."""
STEPS = 3


def overrides(given: argparse.Namespace) -> str:
    """Of `main`: the direct stage, and what the user sets on top."""
    return " ".join(["direct=true", *given.set])


def main_words(given: argparse.Namespace, pack: Path, seed: int) -> list[str]:
    """The parameters of `main` for one seed."""
    named = {
        "preset": given.preset,
        "data": "pack",
        "source": str(pack),
        "edgeface": str(given.edgeface.resolve()),
        "seed": str(seed),
        "device": given.device,
        "overrides": overrides(given),
    }
    return [word for name, value in named.items() for word in (f"--{name}", value)]


def before(given: argparse.Namespace) -> list[str]:
    """What is said before anything is done."""
    size = sum(source.stat().st_size for source in given.train if source.is_file())
    return [
        f"{len(given.seeds)} trainings (seeds {', '.join(map(str, given.seeds))}) with preset {given.preset} on "
        f"{given.device}, into {given.out}; first the pack"
        + (f", {size / 1e6:,.0f} MB to unpack and prepare" if size else "")
    ]


def plan(given: argparse.Namespace, pack_path: Path) -> list[str]:
    """Faces and time of each stage, and of all.

    Raises:
        LrfaceError: The pack, the preset or an override cannot be used.
    """
    words = main_words(given, pack_path, given.seeds[0])
    values = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    parameters = (*COMMON, *PARAMETERS["main"])
    chosen = {parameter.name: "" for parameter in parameters} | values
    own = own_overrides(chosen["overrides"])
    settings = settings_for("main", MainSettings, chosen, parameters, own)
    configs = stage_configs(settings, chosen)
    pack, device = open_pack(pack_path), pick_device(given.device)
    tune, dsr = configs.of("finetune", FinetuneSettings), configs.of("train_dsr", TrainDsrSettings)
    direct = configs.of(DIRECT, FinetuneSettings)
    evaluated = configs.of("evaluate", EvaluateSettings)
    rate = _Rates(dsr, tune, device)
    turns = 2 if settings.order == "from_direct" else 1
    stages = [
        ("direct", turns * _faces(direct, pack), rate.tune_alone),
        ("baseline", _faces(dsr, pack), rate.dsr),
        ("finetuned", settings.cycles * _faces(tune, pack), rate.tune),
    ]
    if not tune.joint.lr:  # else both networks were trained in that stage
        stages.append(("cycle", settings.cycles * _faces(dsr, pack), rate.dsr))
    lines = [
        f"pack: {len(pack)} faces of {pack.info.subjects} people, {len(pack.rows(superres='train'))} of them train",
        f"{'stage':12s} {'faces':>10s} {'a second':>9s} {'minutes':>8s}",
    ]
    whole = 0.0
    for name, faces, speed in stages:
        whole += faces / speed / 60
        lines.append(f"{name:12s} {faces:10,d} {speed:9.1f} {faces / speed / 60:8.1f}")
    arms = 4 * len(given.sizes) * len(given.conditions)
    share = 0.1 * len(_numbers(given.folds)) if given.folds else 1.0
    measuring = (share + 1.0) * LFW_FACES * arms * (1 / rate.restore + 2 / rate.embed) / 60  # pairs, then people
    measuring += len(evaluated.sizes) * len(pack.rows(superres="test")) * 4 / rate.restore / 60
    lines.append(f"{'verify':12s} {'':10s} {'':9s} {measuring:8.1f}")
    hours = len(given.seeds) * (whole + measuring) / 60
    return [*lines, f"{len(given.seeds)} seeds: about {hours:.1f} hours on {device}, within a factor of two or so"]


def _numbers(folds: str) -> range:
    first, _, last = folds.partition("-")
    return range(int(first), int(last or first) + 1)


def _faces(settings: FinetuneSettings | TrainDsrSettings, pack: Pack) -> int:
    """Faces that a training is shown, with its validation after each epoch."""
    rows = pack.rows(recognition="train") if isinstance(settings, FinetuneSettings) else pack.rows(superres="train")
    each = settings.images_per_epoch or len(rows)
    return settings.loop.epochs * (each + settings.loop.val_faces)


class _Rates:
    """Faces a second of each stage, from a few steps of its networks alone."""

    def __init__(self, dsr: TrainDsrSettings, tune: FinetuneSettings, device: torch.device) -> None:
        resolver = DSR(dsr.dsr, dsr.network).to(device)
        recogniser = EdgeFace("xxs").to(device)
        small = min(dsr.loop.batch_size, 64)
        large = min(tune.loop.batch_size, 64)
        # the supervisor reads SR and HR, of which the first has a gradient; the anchor reads HR
        self.restore = _rate(resolver, (small, 3, 16, 16), device, backward=False)
        self.embed = _rate(recogniser, (large, 3, 112, 112), device, backward=False)
        restoring = _rate(resolver, (small, 3, 16, 16), device, backward=True)
        embedding = _rate(recogniser, (large, 3, 112, 112), device, backward=True)
        self.dsr = 1 / (1 / restoring + 1 / embedding + 1 / self.embed)
        self.tune_alone = 1 / (1 / embedding + 1 / self.embed)
        mix = tune.mix
        share = mix.sr / (mix.sr + mix.bicubic + mix.hr)
        self.tune = 1 / (1 / self.tune_alone + share / (restoring if tune.joint.lr else self.restore))


def _rate(network: nn.Module, shape: tuple[int, ...], device: torch.device, *, backward: bool) -> float:
    images = torch.rand(shape, device=device)
    network.train(backward)
    for step in range(STEPS):
        if step == 1:  # the first one warms up
            started = _now(device)
        with torch.set_grad_enabled(backward):
            out = network(images)
            if backward:
                out.square().mean().backward()
    return (STEPS - 1) * shape[0] / (_now(device) - started)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()
