"""Networks by name: from the registry, from a path, or from the released weights."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import OnePairSettings
from lrface.errors import WeightsError
from lrface.evaluation.protocol.arms import JUDGE, bicubic
from lrface.models.checkpoint.doctor import load_edgeface
from lrface.models.dsr.folder import load_dsr
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.models.onnx.folder import is_onnx_folder, read_onnx_folder
from lrface.models.onnx.recogniser import OnnxRecogniser, is_onnx, read_onnx
from lrface.models.pair import Pair, read_recogniser, stands_for_bicubic
from lrface.models.settings import OnnxSettings
from lrface.models.store import ModelSpec, read_spec
from lrface.models.weights.released import LICENCE, RELEASED, fetch_released
from lrface.models.weights.shipped import DRAWN, is_shipped, shipped_folder
from lrface.tracking.names import DSR as DSR_NAME
from lrface.tracking.names import EDGEFACE, PAIR, STRANGER, VersionTag
from lrface.tracking.registry.versions import ModelVersion, download, is_registry_uri, resolve

NONE = "none"


@dataclass(frozen=True)
class AnyRecogniser:
    """A frozen recogniser, EdgeFace or one of others, and where it came from.

    Attributes:
        network: In evaluation mode; EdgeFace on the device of the job.
        origin: The version's URI, or the path.
        label: Short name for arms: the alias, or the file's name.
        sha256: Of its weights.
        licence: Of its weights.
        cycle: How many super-resolvers it was fine-tuned on, one after another.
        version: Its version, where it came from the registry.
        initialised: Keys that the file lacked.
        judges: Whether it is the independent judge, which takes part in nothing.
    """

    network: EdgeFace | OnnxRecogniser
    origin: str
    label: str
    sha256: str
    licence: str
    cycle: int
    version: ModelVersion | None = None
    initialised: tuple[str, ...] = ()
    judges: bool = False


@dataclass(frozen=True)
class Recogniser(AnyRecogniser):
    """A frozen EdgeFace, which can be trained, supervise and be exported."""

    network: EdgeFace


@dataclass(frozen=True)
class SuperResolver:
    """A frozen super-resolver and where it came from; the attributes are those of a recogniser."""

    network: DSR
    origin: str
    label: str
    sha256: str
    licence: str
    cycle: int
    version: ModelVersion | None = None


def load_any_recogniser(reference: str, context: Context, onnx: OnnxSettings) -> AnyRecogniser:
    """Load EdgeFace as `load_recogniser`, or a recogniser of others from an ONNX file or its model folder.

    Args:
        reference: `models:/...`, a path or a released name.
        context: Store, terminal and device.
        onnx: What ONNX files take that do not say so themselves.

    Raises:
        RegistryError: The registry has no such version.
        WeightsError: The weights cannot be had, do not fit, or are no recogniser that can be run.
    """
    if is_registry_uri(reference):
        version = _version(reference, EDGEFACE, context)
        if version.tags.get(VersionTag.NETWORK) != STRANGER:
            return load_recogniser(reference, context)
        with tempfile.TemporaryDirectory() as scratch:
            network, _ = read_onnx_folder(download(context.store, version, Path(scratch) / "model"))
        return AnyRecogniser(network, version.uri, _label(reference), network.sha256, version.licence, 0, version)
    path = given_path(reference)
    if is_onnx_folder(path):
        network, spec = read_onnx_folder(path)
        return AnyRecogniser(network, reference, _label(reference), network.sha256, spec.licence, 0)
    if not is_onnx(path):
        return load_recogniser(reference, context)
    network = read_onnx(path, onnx)
    if network.input.assumed:
        context.terminal.line(f"{reference}: taken to want {network.input}; where not, set onnx_input")
    return AnyRecogniser(network, reference, _label(reference), network.sha256, "unknown", 0)


def load_recogniser(
    reference: str,
    context: Context,
    *,
    variant: str | None = None,
    allow_missing: tuple[str, ...] = (),
    licence: str | None = None,
) -> Recogniser:
    """Load EdgeFace from `models:/...`, a path, the name of the shipped weights (`drawn`) or a released name.

    Raises:
        RegistryError: The registry has no such version.
        WeightsError: The weights cannot be had, or do not fit.
    """
    if is_registry_uri(reference):
        version = _version(reference, EDGEFACE, context)
        if version.tags.get(VersionTag.NETWORK) == STRANGER:
            raise _untrainable(reference)
        with tempfile.TemporaryDirectory() as scratch:
            folder = download(context.store, version, Path(scratch) / "model")
            network, loaded = load_edgeface(folder, variant, allow_missing)
        return Recogniser(
            network=_frozen(network, context),
            origin=version.uri,
            label=_label(reference),
            sha256=loaded.sha256,
            licence=licence or version.licence,
            cycle=int(version.tags.get(VersionTag.CYCLE, "0")),
            version=version,
        )
    path = given_path(reference)
    if is_onnx(path) or is_onnx_folder(path):
        raise _untrainable(reference)
    if is_shipped(reference):
        path = shipped_folder()
    released = not path.exists() and reference in RELEASED
    if released:
        path = fetch_released(reference, context.root / "mlruns" / "weights")
    elif not path.exists():
        raise WeightsError(
            f"recogniser {reference}",
            got="a name that is no path here",
            expected=f"models:/edgeface@ALIAS, a path, or one of {', '.join((DRAWN, *RELEASED))}",
            remedy="correct the path, or the name",
        )
    network, loaded = load_edgeface(path, variant, allow_missing)
    recorded = read_spec(path).licence if path.is_dir() else (LICENCE if released else "unknown")
    return Recogniser(
        network=_frozen(network, context),
        origin=str(reference),
        label=_label(reference),
        sha256=loaded.sha256,
        licence=licence or recorded,
        cycle=0,
        initialised=loaded.initialised,
    )


def _untrainable(reference: str) -> WeightsError:
    return WeightsError(
        f"recogniser {reference}",
        got="an ONNX recogniser, which gives no gradients and cannot be trained",
        expected="an EdgeFace",
        remedy="name it as judge of the training (judge=FILE.onnx), or as edgeface of what only measures",
    )


def load_super_resolver(reference: str, context: Context) -> SuperResolver:
    """Load DSR from `models:/...` or a model folder.

    Raises:
        RegistryError: The registry has no such version.
        WeightsError: The folder is missing, or holds something else.
    """
    version: ModelVersion | None = None
    if is_registry_uri(reference):
        version = _version(reference, DSR_NAME, context)
        with tempfile.TemporaryDirectory() as scratch:
            network, spec = load_dsr(download(context.store, version, Path(scratch) / "model"))
    else:
        network, spec = _dsr_from_path(reference)
    return SuperResolver(
        network=network.to(context.device).requires_grad_(False).eval(),
        origin=version.uri if version else reference,
        label=_label(reference),
        sha256=spec.sha256,
        licence=version.licence if version else spec.licence,
        cycle=int(version.tags.get(VersionTag.CYCLE, "0")) if version else 0,
        version=version,
    )


def _version(reference: str, wanted: str, context: Context) -> ModelVersion:
    """The version that a URI means, refused before it is fetched where its name says that it is something else."""
    version = resolve(context.store, reference)
    if version.name in {EDGEFACE, DSR_NAME, PAIR} - {wanted}:
        raise WeightsError(
            f"model {reference}",
            got=f"a version of {version.name}",
            expected=f"models:/{wanted}@ALIAS",
            remedy=f"name a version of {wanted}",
        )
    return version


def _dsr_from_path(reference: str) -> tuple[DSR, ModelSpec]:
    path = given_path(reference)
    if not path.is_dir():
        raise WeightsError(
            "super-resolver",
            got=f"{reference}, which is no folder here",
            expected="models:/dsr@ALIAS, a folder with model.safetensors and config.json, or none",
            remedy="correct dsr",
        )
    return load_dsr(path)


def load_one_pair(settings: OnePairSettings, context: Context) -> tuple[AnyRecogniser, SuperResolver | None]:
    """Load the pair that a job is to use: a version of `lrface`, a folder with both, or two networks by name.

    Returns:
        Both halves; None for the second where bicubic takes its place.

    Raises:
        RegistryError: The registry has no such version.
        WeightsError: A network cannot be had or does not load.
    """
    if settings.edgeface is not None and settings.dsr is not None:
        resolver = None if settings.dsr == NONE else load_super_resolver(settings.dsr, context)
        return load_any_recogniser(settings.edgeface, context, settings.onnx_input), resolver
    if is_registry_uri(settings.pair):
        return load_pair(_version(settings.pair, PAIR, context), context)
    folder = given_path(settings.pair)
    if not (folder / EDGEFACE).is_dir() or not (folder / DSR_NAME).is_dir():
        raise WeightsError(
            f"pair {settings.pair}",
            got="no folder with edgeface/ and dsr/ in it",
            expected="models:/lrface@ALIAS, or such a folder",
            remedy="correct pair, or name edgeface and dsr",
        )
    bicubic_alone = stands_for_bicubic(folder / DSR_NAME)
    resolver = None if bicubic_alone else load_super_resolver(str(folder / DSR_NAME), context)
    return load_any_recogniser(str(folder / EDGEFACE), context, settings.onnx_input), resolver


def working_pair(recogniser: AnyRecogniser, resolver: SuperResolver | None, context: Context) -> Pair:
    """Put two networks together, ready for pictures."""
    return Pair(recogniser.network, resolver.network if resolver else bicubic, recogniser.sha256, context.device)


def _frozen(network: EdgeFace, context: Context) -> EdgeFace:
    return network.to(context.device).requires_grad_(False).eval()


def _label(reference: str) -> str:
    """`finetuned` of `models:/edgeface@finetuned`, `v3` of `models:/edgeface/3`, the stem of a path."""
    if "@" in reference and is_registry_uri(reference):
        return reference.rpartition("@")[2]
    if is_registry_uri(reference):
        return f"v{reference.rpartition('/')[2]}"
    stem = Path(reference).stem
    label = "".join(sign if sign.isalnum() or sign in "_-." else "_" for sign in stem)
    # No file takes the name that the arms of the independent judge end in.
    return f"{label}_" if label.endswith(JUDGE) else label


def load_pair(version: ModelVersion, context: Context) -> tuple[AnyRecogniser, SuperResolver | None]:
    """Load both halves of a version of `lrface`, from the copies inside it; None for the second where it is bicubic.

    Raises:
        RegistryError: Its files are not the recorded ones.
        WeightsError: They do not load.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = download(context.store, version, Path(scratch) / "pair")
        network, sha256 = read_recogniser(folder / EDGEFACE)
        dsr = None if stands_for_bicubic(folder / DSR_NAME) else load_dsr(folder / DSR_NAME)
    network = network.to(context.device).requires_grad_(False).eval()
    recogniser = AnyRecogniser(network, version.uri, "champion", sha256, version.licence, 0, version)
    if dsr is None:
        return recogniser, None
    resolver, spec = dsr[0].to(context.device).requires_grad_(False).eval(), dsr[1]
    return recogniser, SuperResolver(resolver, version.uri, "champion", spec.sha256, version.licence, 0, version)
