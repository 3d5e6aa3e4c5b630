"""The config of each stage of the cycle, out of the parameters of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from lrface.cli.parameters.compose import free_overrides, settings_for
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.config import (
    EvaluateSettings,
    FinetuneSettings,
    JobSettings,
    MainSettings,
    PrepareSettings,
    PretrainSettings,
    PromoteSettings,
    TrainDsrSettings,
)
from lrface.data.settings import ProceduralData

DIRECT = "finetune_direct"
PROMOTE = "promote"
STAGES: dict[str, type[JobSettings]] = {
    "prepare": PrepareSettings,
    "pretrain": PretrainSettings,
    "train_dsr": TrainDsrSettings,
    "finetune": FinetuneSettings,
    DIRECT: FinetuneSettings,
    "evaluate": EvaluateSettings,
    "promote": PromoteSettings,
}
JOBS = {DIRECT: "finetune"}
"""The entry point of a stage, where it is not of the stage's name; its overrides hold for the stage too."""
TRAININGS = frozenset({"pretrain", "train_dsr", "finetune", DIRECT})
FOR_ALL = frozenset({"seed", "device", "tracking"})
NOT_FOR_STAGES = frozenset({"overrides", "out", "edgeface"})
GUESSED = 1000
"""Faces of a source that nobody has counted yet."""
TESTED = 0.4
"""The share of them that is tested, as a guess."""

Settings = TypeVar("Settings", bound=JobSettings)


@dataclass(frozen=True)
class Configs:
    """The config of every stage."""

    by_stage: dict[str, JobSettings]

    def of(self, name: str, schema: type[Settings], **changes: object) -> Settings:
        """The config of a stage, with what an earlier stage decides."""
        found = self.by_stage[name]
        assert isinstance(found, schema)  # noqa: S101 - composed by the schema of the same table
        return found.model_copy(update=changes)


def stage_configs(settings: MainSettings, given: Mapping[str, str]) -> Configs:
    """The config of every stage, checked before the first one starts.

    Raises:
        ConfigError: A key that the stage does not know, or a value that cannot be used.
    """
    overrides = free_overrides(given["overrides"])
    configs = {}
    for name, schema in STAGES.items():
        job = JOBS.get(name, name)
        parameters = (*COMMON, *PARAMETERS[job])
        chosen = {
            parameter.name: given.get(parameter.name, "")
            for parameter in parameters
            if parameter.name not in NOT_FOR_STAGES
        }
        if name == "pretrain":
            chosen["edgeface"] = settings.edgeface
        configs[name] = settings_for(job, schema, chosen, parameters, _for_stage(name, overrides))
    return Configs(configs)


def stages_of(settings: MainSettings, configs: Configs) -> list[str]:
    """The stages that a cycle goes through, in order, under the names by which it remembers them."""
    names = ["prepare", "pretrain"]
    if settings.with_direct:
        names += ["direct", *(["direct, trained on"] if settings.order == "from_direct" else [])]
    names.append("train_dsr baseline")
    together = bool(configs.of("finetune", FinetuneSettings).joint.lr)
    for number in range(1, settings.cycles + 1):
        names += [f"finetune {number}", *([] if together else [f"train_dsr cycle {number}"])]
    return [*names, "evaluate", PROMOTE]


def work_of(configs: Configs, cycles: int) -> dict[str, float]:
    """How much work each stage is beside the others: faces that it sees, times what one costs, in units of drawing one.

    What a face costs was measured on CPUs, idle ones and busy ones, between which the shares differ by a factor of two;
    a guess that the pace of what is done makes good. How many faces there are is known beforehand where they are drawn.
    """
    pretrain, dsr = configs.of("pretrain", PretrainSettings), configs.of("train_dsr", TrainDsrSettings)
    tuning, evaluating = configs.of("finetune", FinetuneSettings), configs.of("evaluate", EvaluateSettings)
    direct, promoting = configs.of(DIRECT, FinetuneSettings), configs.of("promote", PromoteSettings)
    data = configs.of("prepare", PrepareSettings).data
    faces = data.faces.subjects * data.faces.images_per_subject if isinstance(data, ProceduralData) else GUESSED
    tested = TESTED * faces

    def seen(training: PretrainSettings | TrainDsrSettings | FinetuneSettings) -> float:
        return float(training.loop.epochs * (training.images_per_epoch or (1.0 - TESTED) * faces))

    learnt = pretrain.edgeface.weights == "none"
    work = {
        "prepare": float(faces),
        "pretrain": 0.25 * seen(pretrain) if learnt else 50.0,
        "direct": 0.3 * seen(direct),
        "direct, trained on": 0.3 * seen(direct),
        "train_dsr baseline": (1.1 if dsr.dsr == "base" else 0.55) * seen(dsr),
        "evaluate": tested * len(evaluating.sizes) * len(evaluating.degradations),
        PROMOTE: 0.5 * tested * len(promoting.sizes),
    }
    restored = tuning.mix.sr / (tuning.mix.sr + tuning.mix.bicubic + tuning.mix.hr) if tuning.joint.lr else 0.0
    for number in range(1, cycles + 1):
        work[f"finetune {number}"] = (0.3 + restored * (1.1 if dsr.dsr == "base" else 0.55)) * seen(tuning)
        work[f"train_dsr cycle {number}"] = work["train_dsr baseline"]
    return work


def own_overrides(text: str) -> list[str]:
    """The overrides of the cycle itself: not those of a stage (`train_dsr.loss.l1=2`), nor of the data."""
    return [part for part in free_overrides(text) if _first(part) not in {*STAGES, "data"}]


def _for_stage(name: str, overrides: list[str]) -> list[str]:
    """Those that start with the stage's name, without it; those of the data; seed, device and tracker."""
    taken: list[str] = []
    own: list[str] = []
    for part in overrides:
        signs, first = part[: len(part) - len(part.lstrip("+~"))], _first(part)
        if first in {name, JOBS.get(name)}:
            # what is said of the stage alone comes last, and wins over what is said of its entry point
            to = own if name in JOBS and first == name else taken
            to.append(signs + part[len(signs) :].removeprefix(f"{first}."))
        elif _first(part) in {*FOR_ALL, "data"} or (_first(part) == "trainer" and name in TRAININGS):
            taken.append(part)
    alone = {_key(part) for part in own}
    return [part for part in taken if _key(part) not in alone] + own


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _first(override: str) -> str:
    """The first part of an override's key."""
    return override.lstrip("+~").partition("=")[0].partition(".")[0].partition("@")[0]
