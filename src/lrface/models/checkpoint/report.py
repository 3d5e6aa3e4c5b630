"""What the checkpoint doctor found."""

from dataclasses import asdict, dataclass
from typing import Any

from lrface.models.checkpoint.refusal import printable

_SHOWN = 8
_LONGEST_NAME = 120
_KIND_TEXT = {
    "state_dict": "a state dict",
    "int8_state_dict": "a dynamic-int8 state dict",
    "finetuned_run": "a checkpoint of a fine-tuned run",
    "lightning": "a Lightning checkpoint",
    "training_checkpoint": "a checkpoint of a training run",
    "torchscript": "a TorchScript archive",
    "pickled_module": "a network that was pickled whole",
    "safetensors": "safetensors",
    "model_folder": "a model folder",
    "lfs_pointer": "a Git LFS pointer",
    "html": "a web page",
    "truncated": "a file that was cut off",
    "damaged": "a damaged file",
    "refused_pickle": "a pickle that may run code",
    "pickle": "a pickle without weights",
    "zip": "a zip archive of something else",
    "empty": "an empty file",
    "directory": "a directory",
    "missing": "nothing",
    "too_large": "a file too large for a checkpoint",
    "unknown": "no checkpoint",
}


@dataclass(frozen=True)
class Mismatch:
    """A tensor of another shape or type than the network's."""

    name: str
    got: str
    expected: str


@dataclass(frozen=True)
class Report:
    """What a file is and whether EdgeFace can be loaded from it.

    Attributes:
        path: The file or folder.
        kind: One word for programs; `KINDS` lists them.
        loadable: Whether `load_edgeface` takes it as it is.
        container: How the file is packed ("torch zip", "torch legacy", "torchscript", "safetensors",
            "pickle"), or None where it was not read.
        size: Bytes, 0 for a folder that is no model.
        sha256: Of the file (of model.safetensors in a folder), or None where it was not read.
        variant: The EdgeFace that it was held against: the one asked for, else the one that fits best.
        fitting: The EdgeFace that fits best, or None where none does.
        low_rank_head: Whether the head of a gamma variant is low-rank too; None without a variant.
        prefix: What stands before each name of the network in the file.
        parameters: Number of the network's parameters that the file gives.
        quantised: Whether weights were int8 and are turned to float on loading.
        missing: Names that the network has and the file lacks.
        unexpected: Names that the file has and the network lacks.
        mismatched: Tensors of another shape or type.
        non_finite: Tensors that hold NaN or infinity.
        ignored: Names that belong to other parts of a training.
        stand_ins: Classes that were not imported; inert stand-ins took their place.
        findings: What was found, a sentence each.
        remedy: What to do; empty where nothing is to be done.
    """

    path: str
    kind: str
    loadable: bool
    container: str | None = None
    size: int = 0
    sha256: str | None = None
    variant: str | None = None
    fitting: str | None = None
    low_rank_head: bool | None = None
    prefix: str = ""
    parameters: int = 0
    quantised: bool = False
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()
    non_finite: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report for people, a fact per line."""
        facts = [
            f"{self.path}: {_KIND_TEXT[self.kind]}",
            f"loads: {'yes' if self.loadable else 'no'}",
        ]
        if self.sha256 is not None:
            facts.append(f"size: {self.size:,} bytes, sha256 {self.sha256}")
        if self.variant is not None:
            facts.append(f"held against: EdgeFace {self.variant}, {self.parameters:,} parameters")
            facts.append(f"prefix of the names: {self.prefix!r}")
        for title, names in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", tuple(f"{m.name} {m.got}, not {m.expected}" for m in self.mismatched)),
            ("not finite", self.non_finite),
            ("other parts of the training", self.ignored),
            ("replaced by inert stand-ins", self.stand_ins),
        ):
            if names:
                facts.append(f"{title} ({len(names)}): {shortened(names)}")
        facts += [f"found: {finding}" for finding in self.findings]
        if self.remedy:
            facts.append(f"remedy: {self.remedy}")
        return facts


KINDS = frozenset(_KIND_TEXT)


def shortened(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(printable(name, _LONGEST_NAME) for name in names[:_SHOWN]) + (
        f" and {more} more" if more > 0 else ""
    )
