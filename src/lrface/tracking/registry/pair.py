"""The pair: a recogniser and the super-resolver that was trained against it, as one model."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lrface.errors import RegistryError
from lrface.models.pair import write_bicubic
from lrface.naming.operating_points import OperatingPoints, write_points
from lrface.tracking.names import DSR, EDGEFACE, PAIR, STRANGER, Alias, VersionTag
from lrface.tracking.registry.licences import Licensed, whole_licence
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import ModelVersion, download, resolve, versions_of
from lrface.tracking.runs.lineage import joined_terms
from lrface.tracking.runs.run import Run
from lrface.tracking.served.signatures import pair_example, pair_signature
from lrface.tracking.store.store import Store

NONE: Final = "none"
"""What the tags of a pair say of its super-resolver where bicubic takes its place."""


def register_pair(
    run: Run,
    edgeface: ModelVersion,
    dsr: ModelVersion | None,
    *,
    tags: Mapping[str, object] | None = None,
    alias: str | None = Alias.CHALLENGER,
    card: str | None = None,
    points: OperatingPoints | None = None,
) -> ModelVersion:
    """Register both halves, copied into one folder, as a version of ``lrface``.

    The copy is why the pair moves as one: nothing that happens to the halves' own aliases or versions later
    changes what an alias of the pair means.

    Args:
        run: The run that puts them together.
        edgeface: The recogniser.
        dsr: The super-resolver; its tag ``supervisor`` names the recogniser it was trained against. None: bicubic.
        tags: More tags.
        alias: The alias to set.
        card: The model card in Markdown.
        points: Its operating points, a file beside the halves; None: the version has none.

    Raises:
        RegistryError: The super-resolver was trained against another recogniser, or a step failed.
    """
    if dsr is not None:
        refuse_stale(dsr.tags.get(VersionTag.SUPERVISOR), edgeface, dsr.uri)
    halves = (edgeface,) if dsr is None else (edgeface, dsr)
    ledger = pair_ledger(edgeface, dsr)
    all_tags = {
        VersionTag.EDGEFACE.value: edgeface.uri,
        VersionTag.DSR.value: dsr.uri if dsr else NONE,
        VersionTag.EDGEFACE_SHA256.value: edgeface.sha256,
        VersionTag.DSR_SHA256.value: dsr.sha256 if dsr else NONE,
        VersionTag.LICENCE.value: whole_licence(ledger),
        VersionTag.TERMS.value: joined_terms(half.tags.get(VersionTag.TERMS, "") for half in halves),
        VersionTag.POINTS.value: "; ".join(points.lines()) if points else NONE,
        **(tags or {}),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pair"
        download(run.store, edgeface, folder / EDGEFACE)
        if dsr is None:
            write_bicubic(folder / DSR)
        else:
            download(run.store, dsr, folder / DSR)
        if points is not None:
            write_points(folder, points)
        return register(
            run,
            PAIR,
            folder,
            signature=pair_signature(),
            alias=alias,
            tags=all_tags,
            input_example=pair_example(),
            ledger=ledger,
            card=card,
        )


def pair_ledger(edgeface: ModelVersion, dsr: ModelVersion | None) -> tuple[Licensed, ...]:
    """Return the licences of both halves, each of which already holds those of what it was made of."""
    recogniser = Licensed("recogniser", edgeface.uri, edgeface.licence, edgeface.sha256)
    return (recogniser,) if dsr is None else (recogniser, Licensed("super-resolver", dsr.uri, dsr.licence, dsr.sha256))


def pairs_of(store: Store, edgeface_sha256: str, dsr_sha256: str) -> list[ModelVersion]:
    """The versions of ``lrface`` that hold the weights with these hashes (``none``: bicubic), the newest first."""
    return [
        version
        for version in versions_of(store, PAIR)
        if version.tags.get(VersionTag.EDGEFACE_SHA256) == edgeface_sha256
        and version.tags.get(VersionTag.DSR_SHA256) == dsr_sha256
    ]


def check_pair(store: Store, pair: ModelVersion) -> None:
    """Refuse a pair whose halves are no longer those of the registry, or do not belong together.

    Raises:
        RegistryError: A half was deleted or has other weights, or the super-resolver's supervisor is another.
    """
    halves = {}
    for uri_tag, hash_tag in (
        (VersionTag.EDGEFACE, VersionTag.EDGEFACE_SHA256),
        (VersionTag.DSR, VersionTag.DSR_SHA256),
    ):
        if uri_tag is VersionTag.DSR and pair.tags.get(uri_tag) == pair.tags.get(hash_tag) == NONE:
            continue
        half = resolve(store, pair.tags.get(uri_tag, ""))
        if half.sha256 != pair.tags.get(hash_tag):
            raise RegistryError(
                f"pair {pair.uri}",
                got=f"{half.uri} with weights {half.sha256[:12]}",
                expected=f"the weights that the pair was made of ({pair.tags.get(hash_tag, 'none recorded')[:12]})",
                remedy="put the pair together again and evaluate it",
            )
        halves[uri_tag] = half
    if VersionTag.DSR in halves:
        dsr = halves[VersionTag.DSR]
        refuse_stale(dsr.tags.get(VersionTag.SUPERVISOR), halves[VersionTag.EDGEFACE], dsr.uri)


def refuse_stale(supervisor: str | None, edgeface: ModelVersion, dsr: str) -> None:
    """Refuse a super-resolver that was trained against another recogniser than the one it is paired with.

    None can be trained against a recogniser of others, which gives no gradients: any may stand in front of it.

    Raises:
        RegistryError: It was, or nothing is recorded.
    """
    if supervisor != edgeface.uri and edgeface.tags.get(VersionTag.NETWORK) != STRANGER:
        raise RegistryError(
            f"pair of {edgeface.uri} and {dsr}",
            got=f"a super-resolver trained against {supervisor or 'nothing that is recorded'}",
            expected=f"one trained against {edgeface.uri}",
            remedy="train the super-resolver against this recogniser, or pair it with its own",
        )
