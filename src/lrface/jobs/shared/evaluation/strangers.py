"""Recognisers of others in an evaluation: the independent judge, and what the super-resolvers gain for each."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lrface.cli.context import Context
from lrface.config import EvaluateSettings, StrangerJobSettings
from lrface.errors import ConfigError
from lrface.evaluation.figures.results import Results
from lrface.evaluation.protocol.arms import BICUBIC, HIGH_RESOLUTION, JUDGE, Arm, Upscaler, bicubic
from lrface.evaluation.verdict.strangers import StrangerGain, stranger_gain
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.jobs.shared.networks import NONE, AnyRecogniser, load_any_recogniser
from lrface.models.onnx.folder import write_onnx
from lrface.models.onnx.recogniser import OnnxRecogniser
from lrface.tracking.names import EDGEFACE, STRANGER, VersionTag
from lrface.tracking.registry.licences import Licensed
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import ModelVersion, versions_of
from lrface.tracking.runs.run import Run
from lrface.tracking.served.signatures import edgeface_signature

IDENTITY = "gallery_sha256"
"""Tag of a recogniser of others: what galleries of it are bound to."""

_ALIKE = 1 - 1e-4


def load_judge(
    reference: str, settings: StrangerJobSettings, context: Context, others: Sequence[AnyRecogniser]
) -> AnyRecogniser | None:
    """Load the recogniser that judges and took part in nothing; None where none is named.

    Args:
        reference: `models:/...`, a path (an ONNX file too), a released name, or none.
        settings: What ONNX files take.
        context: Store, terminal and device.
        others: The recognisers that it judges beside.

    Raises:
        ConfigError: It is one of the others, so that it would not be independent.
        RegistryError: The registry has no such version.
        WeightsError: The weights cannot be had, or are no recogniser.
    """
    if reference == NONE:
        return None
    found = load_any_recogniser(reference, context, settings.onnx_input)
    same = [other.origin for other in others if _same(found, other, context)]
    if same:
        raise ConfigError(
            f"judge {reference}",
            got=f"the weights of {same[0]}",
            expected="a recogniser that takes part in nothing else",
            remedy="name another one, or none",
        )
    return replace(found, label=JUDGE, judges=True)


def _same(one: AnyRecogniser, other: AnyRecogniser, context: Context) -> bool:
    """Whether two recognisers are one: by hash, or by what they answer, for one network may lie in two files."""
    if one.sha256 == other.sha256:
        return True
    if one.network.width != other.network.width:
        return False
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, FACE_SIZE, FACE_SIZE, generator=generator).to(context.device)
    with torch.inference_mode():
        return bool(((one.network(noise) * other.network(noise)).sum(1) > _ALIKE).all())


def judge_arms(judge: AnyRecogniser | None, upscalers: Mapping[str, Upscaler]) -> list[Arm]:
    """The arms of the judge: HR, bicubic, and each super-resolver by the name that it has in the other arms."""
    if judge is None:
        return []
    ways: list[tuple[str, Upscaler | None, tuple[int, int]]] = [
        (HIGH_RESOLUTION, None, (1, FACE_SIZE)),
        (BICUBIC, bicubic, (1, FACE_SIZE)),
        *((name, upscaler, (VLR_MIN, VLR_MAX)) for name, upscaler in upscalers.items()),
    ]
    return [Arm(f"{name}-{JUDGE}", judge.network, upscaler, None, *limits) for name, upscaler, limits in ways]


def stranger_gains(
    results: Results, arms: Sequence[Arm], recognisers: Sequence[AnyRecogniser], settings: EvaluateSettings
) -> tuple[StrangerGain, ...]:
    """What each super-resolver gains over bicubic for the judge and ONNX recognisers, under the first condition."""
    found = []
    for recogniser in recognisers:
        if not recogniser.judges and not isinstance(recogniser.network, OnnxRecogniser):
            continue
        own = [
            arm
            for arm in arms
            if arm.embedder is recogniser.network and arm.upscaler is not None and arm.gallery_embedder is None
        ]
        floor = next((arm for arm in own if arm.upscaler is bicubic), None)
        for arm in own:
            if floor is None or arm.upscaler is bicubic:
                continue
            sizes = [size for size in settings.sizes if arm.takes(size)]
            gain = stranger_gain(
                results, recogniser.origin, arm.name, floor.name, sizes, settings.degradations[0], settings.measure
            )
            found += [gain] if gain else []
    return tuple(found)


def registered_stranger(recogniser: AnyRecogniser, run: Run, context: Context) -> ModelVersion:
    """The version of `edgeface` that holds a recogniser of others: the one that is there, or a new one.

    Raises:
        RegistryError: The registry refused.
    """
    network = recogniser.network
    if not isinstance(network, OnnxRecogniser):
        raise TypeError("EdgeFace is registered where it is trained or loaded")
    for version in versions_of(context.store, EDGEFACE):
        if version.tags.get(IDENTITY) == recogniser.sha256:
            return version
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        write_onnx(folder, network, licence=recogniser.licence)
        ledger = (Licensed("recogniser", recogniser.origin, recogniser.licence),)
        version = register(
            run,
            EDGEFACE,
            folder,
            signature=edgeface_signature(network.width),
            alias=None,
            tags={
                VersionTag.LICENCE: recogniser.licence,
                VersionTag.NETWORK: STRANGER,
                VersionTag.JOB: "promote",
                "source": recogniser.origin,
                "input": str(network.input),
                IDENTITY: recogniser.sha256,
            },
            ledger=ledger,
        )
    context.made.versions.append(version.uri)
    return version
