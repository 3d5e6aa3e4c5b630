"""The checkpoint doctor: says what a file is, which EdgeFace it fits, and loads it or gives the remedy.

Nothing in a file is ever run: see `checkpoint.unpickle`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor, nn

from lrface.errors import WeightsError
from lrface.models.checkpoint.files import LIMIT_BYTES, Payload, read_payload
from lrface.models.checkpoint.fit import compare, judged
from lrface.models.checkpoint.layout import Weights, find_weights
from lrface.models.checkpoint.refusal import CheckpointRefusedError
from lrface.models.checkpoint.report import Report, shortened
from lrface.models.checkpoint.tensors import MalformedTensorError
from lrface.models.edgeface.network import VARIANTS, EdgeFace
from lrface.models.store import CONFIG_NAME, WEIGHTS_NAME, read_spec, read_state


@dataclass(frozen=True)
class LoadedWeights:
    """Where the weights of a network came from.

    Attributes:
        path: The file or folder.
        kind: What it is, as in `Report.kind`.
        variant: The size of EdgeFace.
        sha256: Of the file's bytes (of model.safetensors in a folder).
        quantised: Whether int8 weights were turned to float.
        initialised: Names that the file lacked and that were drawn anew; a run is tagged with them.
    """

    path: str
    kind: str
    variant: str
    sha256: str
    quantised: bool
    initialised: tuple[str, ...]


def inspect_checkpoint(path: str | Path, *, variant: str | None = None, prefix: str | None = None) -> Report:
    """Tell what a file or folder is and whether EdgeFace loads from it.

    Args:
        path: A file, or a model folder.
        variant: Hold it against this size; None takes the one that fits best.
        prefix: Look at the names with this prefix; None finds it. Needed where a file holds two EdgeFaces.
    """
    return _examine(Path(path), variant, prefix)[0]


def load_edgeface(
    path: str | Path,
    variant: str | None = None,
    allow_missing: Sequence[str] = (),
    *,
    prefix: str | None = None,
    drop_path: float = 0.0,
    seed: int = 0,
) -> tuple[EdgeFace, LoadedWeights]:
    """Load EdgeFace, strictly, from any of the files that the doctor knows.

    Args:
        path: A file, or a model folder.
        variant: The size that is wanted; None takes the one that the file fits.
        allow_missing: Globs of names (without the file's prefix) that may be missing. Their weights start
            Xavier-uniform, their biases at zero; scales keep the network's own start.
        prefix: As in `inspect_checkpoint`.
        drop_path: As in `EdgeFace`.
        seed: Seed of the values that are drawn for missing names.

    Returns:
        The network, in evaluation mode on the CPU in float32, and where its weights came from.

    Raises:
        WeightsError: The file does not load; the message names why and what to do.
    """
    report, state = _examine(Path(path), variant, prefix)
    allowed = tuple(name for name in report.missing if any(fnmatchcase(name, _bare(glob)) for glob in allow_missing))
    if allowed:
        remaining = tuple(name for name in report.missing if name not in allowed)
        report = judged(replace(report, missing=remaining))
    if not report.loadable or report.variant is None:
        raise as_error(report)
    model = EdgeFace(report.variant, drop_path=drop_path, low_rank_head=report.low_rank_head is not False, seed=seed)
    complete = {f"model.{name}": value for name, value in state.items()}
    _initialise(model, allowed, seed)
    own = model.state_dict()
    complete |= {f"model.{name}": own[f"model.{name}"] for name in allowed}
    model.load_state_dict(complete, strict=True)
    loaded = LoadedWeights(
        path=str(path),
        kind=report.kind,
        variant=report.variant,
        sha256=report.sha256 or "",
        quantised=report.quantised,
        initialised=allowed,
    )
    return model.eval(), loaded


def _bare(glob: str) -> str:
    return glob.removeprefix("model.")


def _initialise(model: EdgeFace, names: Sequence[str], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(model.model.named_parameters())
    with torch.no_grad():
        for name in names:
            if name.endswith(".bias"):
                nn.init.zeros_(parameters[name])
            elif name.endswith(".weight") and parameters[name].ndim > 1:
                nn.init.xavier_uniform_(parameters[name], generator=generator)


def as_error(report: Report) -> WeightsError:
    """Why the file of a report does not load."""
    expected = f"EdgeFace {report.variant}" if report.variant else "weights of EdgeFace"
    return WeightsError(
        f"weights {report.path}",
        got="; ".join(report.findings) or report.kind,
        expected=expected,
        remedy=report.remedy or "give another file",
    )


def _examine(path: Path, variant: str | None, prefix: str | None) -> tuple[Report, Mapping[str, Tensor]]:
    """The report, and the tensors that belong to the network, named without prefix."""
    if variant is not None and variant not in VARIANTS:
        raise WeightsError(
            f"weights {path}",
            got=f"the variant {variant!r} to hold it against",
            expected=f"one of {', '.join(VARIANTS)}",
            remedy="choose one of these, or none to find it",
        )
    try:
        if path.is_dir():
            report, weights, wanted = _open_folder(path)
            variant = variant or wanted
        else:
            report, weights = _open_file(path)
        return compare(report, weights, variant=variant, prefix=prefix)
    except CheckpointRefusedError as refusal:
        size = path.stat().st_size if path.is_file() else 0
        report = Report(
            str(path), refusal.kind, loadable=False, size=size, findings=(refusal.got,), remedy=refusal.remedy
        )
        return report, {}


def _open_folder(path: Path) -> tuple[Report, Weights, str]:
    if not (path / CONFIG_NAME).is_file() or not (path / WEIGHTS_NAME).is_file():
        raise CheckpointRefusedError(
            str(path),
            kind="directory",
            got=f"a directory without {CONFIG_NAME} and {WEIGHTS_NAME}",
            remedy="give the file of the weights, or a model folder",
        )
    try:
        spec = read_spec(path)
        state = read_state(path, spec)
    except WeightsError as error:
        raise CheckpointRefusedError(str(path), kind="damaged", got=error.got, remedy=error.remedy) from error
    if spec.kind != "edgeface":
        raise CheckpointRefusedError(
            str(path),
            kind="model_folder",
            got=f"a model folder of kind {spec.kind}",
            remedy="give the folder of an EdgeFace",
        )
    size = (path / WEIGHTS_NAME).stat().st_size
    report = Report(str(path), "model_folder", loadable=False, container="safetensors", size=size, sha256=spec.sha256)
    return report, Weights("model_folder", state, strict=True), spec.variant


def _open_file(path: Path) -> tuple[Report, Weights]:
    if not path.is_file():
        raise CheckpointRefusedError(str(path), kind="missing", got="no file at this path", remedy="check the path")
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise CheckpointRefusedError(
            str(path),
            kind="too_large",
            got=f"{size:,} bytes",
            remedy=f"give a checkpoint of at most {LIMIT_BYTES:,} bytes",
        )
    data = path.read_bytes()
    payload = read_payload(path, data)
    try:
        weights = find_weights(payload)
    except MalformedTensorError as error:
        raise CheckpointRefusedError(
            str(path), kind="damaged", got=str(error), remedy="fetch the file again, or save it anew"
        ) from error
    if weights is None:
        raise CheckpointRefusedError(
            str(path),
            kind="pickle",
            got=f"{_described(payload)} without named tensors",
            remedy="save the network's state_dict()",
        )
    report = Report(
        str(path),
        weights.kind,
        loadable=False,
        container=payload.container,
        size=size,
        sha256=hashlib.sha256(data).hexdigest(),
        stand_ins=payload.stand_ins,
        quantised=weights.quantised,
    )
    return report, weights


def _described(payload: Payload) -> str:
    content = payload.content
    if isinstance(content, Mapping):
        return f"a table of {shortened(tuple(key for key in content if isinstance(key, str)))}"
    return f"a {type(content).__name__}"
