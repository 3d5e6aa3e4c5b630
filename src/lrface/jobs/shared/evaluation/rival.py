"""The rival of every pair: the recogniser that was shown small faces directly, and what each costs."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from lrface.cli.context import Context
from lrface.config import DIRECT, ArmJobSettings
from lrface.evaluation.figures.results import Results
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.worth import Cost, Worth, weigh
from lrface.images.sizes import FACE_SIZE
from lrface.jobs.shared.networks import NONE, AnyRecogniser, SuperResolver, load_any_recogniser, load_recogniser
from lrface.models.export.timing import latency_ms
from lrface.models.onnx.recogniser import OnnxRecogniser
from lrface.models.size import count_mflops
from lrface.tracking.names import EDGEFACE, Alias, VersionTag
from lrface.tracking.registry.ancestry import line_of
from lrface.tracking.registry.versions import ModelVersion, is_registry_uri, resolve, versions_of

AUTO = "auto"
COST_SIZE = 16
Network = AnyRecogniser | SuperResolver


def rival_of(
    settings: ArmJobSettings,
    recognisers: Sequence[AnyRecogniser],
    resolvers: Sequence[SuperResolver],
    context: Context,
) -> AnyRecogniser | None:
    """The direct recogniser that pairs are held against: one of those measured, or one more; None where there is none.

    Under `auto` one that is measured anyway, else `edgeface@direct` where it was trained on the same pack and from the
    same start as what is measured: another would have seen other people, maybe those of the test.

    Raises:
        RegistryError: There is no such version.
        WeightsError: It does not load.
    """
    if settings.direct == NONE:
        return None
    if settings.direct != AUTO:
        named = load_any_recogniser(settings.direct, context, settings.onnx_input)
        return next((item for item in recognisers if item.origin == named.origin), named)
    measured = [item for item in recognisers if item.label == Alias.DIRECT] or [
        item for item in recognisers if is_direct(item.version)
    ]
    if measured:
        return measured[-1]
    found = next((item for item in versions_of(context.store, EDGEFACE) if Alias.DIRECT in item.aliases), None)
    if found is None:
        return None
    versions = [item.version for item in recognisers] + [item.version for item in resolvers]
    packs = {version.tags.get(VersionTag.PACK) for version in versions if version is not None}
    starts = {sha256 for item in recognisers for sha256 in (item.sha256, *_line(item.version, context))}
    if found.tags.get(VersionTag.PACK) not in packs - {None} or not starts & set(_line(found, context)):
        context.terminal.line(f"no direct arm: {DIRECT} is of other faces or another start; direct=URI names one")
        return None
    return load_recogniser(DIRECT, context)


def is_direct(version: ModelVersion | None) -> bool:
    """Whether a recogniser was fine-tuned on small faces as they are."""
    return version is not None and version.tags.get(VersionTag.SUPER_RESOLVER) == "bicubic"


def origin_of(version: ModelVersion, context: Context) -> ModelVersion:
    """The recogniser at the beginning of a version's line, as far as the registry knows it.

    Raises:
        RegistryError: A version of the line is gone.
    """
    while is_registry_uri(version.tags.get("start", "")):
        version = resolve(context.store, version.tags["start"])
    return version


def _line(version: ModelVersion | None, context: Context) -> set[str]:
    """Hashes of the weights of a version and of all that it was trained on from."""
    line = line_of(context.store, [version] if version else [], ("start",))
    tags = (item.tags.get(name, "") for item in line for name in ("start_sha256", "source_sha256"))
    return {*(item.sha256 for item in line), *tags} - {""}


def with_rival(networks: Sequence[Network], rival: AnyRecogniser | None) -> list[Network]:
    """All networks that are measured, the rival once."""
    return [*networks, *([rival] if rival is not None and all(item is not rival for item in networks) else [])]


def rival_arms(rival: AnyRecogniser | None, recognisers: Sequence[AnyRecogniser]) -> list[Arm]:
    """Its arms, `hr-direct` and `bicubic-direct`, where it is not measured anyway."""
    if rival is None or any(item is rival for item in recognisers):
        return []
    return [
        Arm(f"hr-{Alias.DIRECT}", rival.network),
        Arm(f"bicubic-{Alias.DIRECT}", rival.network, bicubic),
    ]


def direct_arm(arms: Sequence[Arm], rival: AnyRecogniser | None) -> Arm | None:
    """The arm of bicubic and the rival, under whatever name."""
    network = rival.network if rival is not None else None
    return next((arm for arm in arms if arm.upscaler is bicubic and arm.embedder is network), None)


def worth_of(
    results: Results,
    arms: Sequence[Arm],
    pair: Arm | None,
    networks: Sequence[Network],
    rival: AnyRecogniser | None,
    sizes: Sequence[int],
    condition: str,
    settings: EvaluationSettings,
) -> Worth | None:
    """Hold a pair's arm against the rival's; None where one of them was not measured.

    Args:
        results: The evaluation.
        arms: Its arms.
        pair: The arm with the super-resolver.
        networks: All that was loaded, among them those of the pair.
        rival: The direct recogniser.
        sizes: Sides of the probes, of which those that the pair takes count.
        condition: How the small faces were made.
        settings: Of the evaluation.
    """
    if pair is None or rival is None or not results.protocol.mated.rows:
        return None
    direct = direct_arm(arms, rival)
    taken = [size for size in sizes if pair.takes(size)]
    if direct is None or not taken:
        return None
    halves: dict[str, list[Network]] = {
        pair.name: [item for item in networks if item.network is pair.embedder or _restores(item, pair)],
        direct.name: [rival],
    }
    return weigh(
        results,
        pair.name,
        direct.name,
        taken,
        condition,
        settings,
        costs={name: _cost(parts) for name, parts in halves.items()},
        seen={name: ", ".join(seen_words(item) for item in parts) for name, parts in halves.items()},
    )


def seen_words(item: Network) -> str:
    """How many faces a network was shown, in words."""
    tags: Mapping[str, str] = item.version.tags if item.version is not None else {}
    what = "super-resolver" if isinstance(item, SuperResolver) else "recogniser"
    if VersionTag.FACES_IN_ALL not in tags:
        return f"{what} not recorded"
    here, whole = int(tags[VersionTag.FACES_SEEN]), int(tags[VersionTag.FACES_IN_ALL])
    return f"{what} {whole:,}" + (f" ({here:,} in its last training)" if whole != here else "")


def _restores(item: Network, pair: Arm) -> bool:
    return isinstance(item, SuperResolver) and getattr(pair.upscaler, "__self__", None) is item.network


def _cost(parts: Sequence[Network]) -> Cost:
    """Of one face of 16 pixels through all parts, on one thread of the CPU; a graph of others has no count."""
    mmac: float | None = 0.0
    ms = 0.0
    for item in parts:
        side = COST_SIZE if isinstance(item, SuperResolver) else FACE_SIZE
        face = torch.full((1, 3, side, side), 0.5)
        network: nn.Module = item.network
        if isinstance(network, OnnxRecogniser):
            mmac = None
        else:
            network = copy.deepcopy(network).cpu()
            mmac = None if mmac is None else mmac + count_mflops(network, face) / 2
        ms += latency_ms(network, face)
    return Cost(mmac, ms)
