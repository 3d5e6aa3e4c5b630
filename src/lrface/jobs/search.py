"""`search`: many trainings that differ in some keys, each a run below this one, and which of them was best."""

import itertools
import json
import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lrface.config import SCHEMAS, HyperSearchSettings
from lrface.errors import ConfigError, TrainingError
from lrface.jobs import finetune, pretrain, train_dsr
from lrface.jobs.command import Context, command, leave
from lrface.jobs.compose import (
    COMMON,
    DATA,
    Parameter,
    composed,
    config_folder,
    free_overrides,
    given_overrides,
    validated,
)
from lrface.jobs.stage import Stage, copy_out, stage
from lrface.jobs.trials import Search, records, table, try_out
from lrface.tracking.runs import Run

PARAMETERS = (
    *DATA,
    Parameter("job", "job", "the training: pretrain, finetune or train_dsr"),
    Parameter("sampler", "sampler", "grid, random or optuna"),
    Parameter("trials", "trials", "trials of random and optuna"),
    Parameter("metric", "metric", "validation figure of the state that a training keeps"),
    Parameter("direction", "direction", "maximize or minimize"),
    Parameter("edgeface", None, "as the training has it"),
    Parameter("dsr", None, "as the training has it"),
    Parameter("epochs", None, "epochs of each trial"),
    Parameter("batch_size", None, "faces in a batch"),
)
TRAININGS = {
    "pretrain": pretrain.PARAMETERS,
    "finetune": finetune.PARAMETERS,
    "train_dsr": train_dsr.PARAMETERS,
}
HYDRA = "hydra"


def run(settings: HyperSearchSettings, context: Context, parent: Run | None = None) -> str:
    """Try out every combination, or as many as are wanted; return the version that was best, as a URI."""
    fixed, sweeps, launching = _overrides(settings, context)
    _refuse(settings, fixed, sweeps, launching)
    space = json.dumps([*fixed, *(sweep.input_line or "" for sweep in sweeps)])
    with stage(
        "search", settings, context, name=f"search {settings.job}", inputs={"space": space}, parent=parent
    ) as work:
        work.run.set_tags({f"space.{_key(sweep)}": sweep.get_value_string() for sweep in sweeps})
        search = Search(
            settings.job,
            str(context.root),
            settings.tracking.model_dump(mode="json"),
            work.run.run_id,
            work.run.name,
            str(work.folder / "trials"),
            settings.metric,
        )
        if settings.sampler == "grid":
            _grid(search, fixed, sweeps, launching, work.folder / "hydra")
        else:
            _sampled(search, settings, fixed, sweeps, work.folder / "optuna.journal")
        return _tell(settings, context, work, Path(search.folder))


def own_overrides(text: str) -> list[str]:
    """The overrides of the search itself: where it is tracked. All others are for the training."""
    return [part for part in free_overrides(text) if part.lstrip("+~").startswith("tracking.")]


def _overrides(settings: HyperSearchSettings, context: Context) -> tuple[list[str], list[Override], list[str]]:
    """What is the same in every trial, what differs, and what is for Hydra (its launcher)."""
    job = settings.job
    parameters = (*COMMON, *TRAININGS[job])
    given = {parameter.name: context.given.get(parameter.name, "") for parameter in parameters}
    given["out"] = ""
    parts = given_overrides(job, SCHEMAS[job], given, parameters)
    launching = [part.lstrip("+") for part in parts if part.lstrip("+").startswith(HYDRA)]
    parts = [part for part in parts if not part.lstrip("+").startswith(HYDRA)]
    try:
        parsed = OverridesParser.create().parse_overrides(parts)
    except HydraException as error:
        got = " ".join(str(error).split())
        raise ConfigError("overrides", got=got, expected="key=value", remedy="correct the override") from error
    sweeps = [override for override in parsed if override.is_sweep_override()]
    fixed = [part for part, override in zip(parts, parsed, strict=True) if not override.is_sweep_override()]
    return fixed, sweeps, launching


def _refuse(settings: HyperSearchSettings, fixed: list[str], sweeps: list[Override], launching: list[str]) -> None:
    if not sweeps:
        raise ConfigError(
            "search",
            got="no key with several values",
            expected="overrides such as loss.l1=1,2,4 or optim.lr=tag(log,interval(1e-5,1e-3))",
            remedy="name what is to be searched",
        )
    if settings.sampler == "grid":
        endless = [_key(sweep) for sweep in sweeps if isinstance(sweep.value(), IntervalSweep)]
        if endless:
            raise ConfigError(
                "search",
                got=f"a grid over the interval of {', '.join(endless)}",
                expected="values, or a range with steps",
                remedy="list values, or take sampler=optuna or random",
            )
    elif launching:
        raise ConfigError(
            "search",
            got=f"{launching[0]} with sampler={settings.sampler}",
            expected="a launcher with sampler=grid only",
            remedy="take sampler=grid, or leave the launcher out",
        )
    settled = validated(settings.job, SCHEMAS[settings.job], composed(settings.job, fixed))
    if getattr(settled, "trainer").devices != 1:  # noqa: B009 - of every training, but not of every job
        raise ConfigError(
            "trainer.devices",
            got="several in a search",
            expected="1",
            remedy="leave it out; a launcher spreads trials over devices",
        )


def _grid(search: Search, fixed: list[str], sweeps: list[Override], launching: list[str], folder: Path) -> None:
    """Let Hydra run every combination, by the launcher that the user has chosen."""
    keys = [sweep.get_key_element() for sweep in sweeps]
    words = [sweep.input_line or "" for sweep in sweeps]

    def trial(config: DictConfig) -> float:
        given = (part.partition("=") for part in HydraConfig.get().overrides.task)
        tried = {key.lstrip("+"): value for key, _, value in given if key in keys}
        return try_out(search, _plain(config), tried)

    # Hydra's public door to its sweepers and launchers is a command line.
    before = sys.argv
    sys.argv = [
        before[0],
        "--multirun",
        f"hydra.sweep.dir='{folder}'",
        "hydra/job_logging=none",
        "hydra/hydra_logging=none",
        *launching,
        *fixed,
        *words,
    ]
    try:
        hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=search.job)(trial)()
    except SystemExit as left:
        if left.code:
            raise TrainingError(
                "search",
                got="a sweep or launcher of Hydra that failed, as told above",
                expected="one that starts every trial",
                remedy="correct the overrides, or install the launcher's package",
            ) from left
    finally:
        sys.argv = before


def _sampled(
    search: Search, settings: HyperSearchSettings, fixed: list[str], sweeps: list[Override], journal: Path
) -> None:
    """Let Optuna choose; a killed search goes on with the trials that its journal has."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
        from optuna.trial import TrialState
    except ModuleNotFoundError as error:
        raise ConfigError(
            "sampler",
            got=f"{settings.sampler}, and no package optuna",
            expected="the package, or grid",
            remedy="pip install 'lrface[search]'",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(study_name="search", storage=storage, direction=settings.direction, load_if_exists=True)
    for cut_short in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(cut_short.number, state=TrialState.FAIL)
        study.enqueue_trial(cut_short.params)
    done = len(study.get_trials(states=(TrialState.COMPLETE,)))  # failed ones are made up for by a later call
    seed = settings.seed + len(study.get_trials(deepcopy=False))
    sampler = optuna.samplers.RandomSampler if settings.sampler == "random" else optuna.samplers.TPESampler
    study.sampler = sampler(seed=seed)
    for _ in range(settings.trials - done):
        trial = study.ask()
        tried = {_key(sweep): _suggested(trial, sweep) for sweep in sweeps}
        words = [f"{sweep.get_key_element()}={tried[_key(sweep)]}" for sweep in sweeps]
        value = try_out(search, composed(search.job, [*fixed, *words]), tried)
        if math.isnan(value):
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, value)


def _suggested(trial: Any, sweep: Override) -> str:  # noqa: ANN401 - Optuna is an extra, so its types may be absent
    """A value as Optuna suggests it, written as Hydra reads it."""
    key, value = _key(sweep), sweep.value()
    if isinstance(value, IntervalSweep):
        low, high, log = float(cast(float, value.start)), float(cast(float, value.end)), "log" in value.tags
        if low.is_integer() and high.is_integer() and "int" in value.tags:
            return str(trial.suggest_int(key, int(low), int(high), log=log))
        return repr(trial.suggest_float(key, low, high, log=log))
    if isinstance(value, ChoiceSweep | RangeSweep):
        return str(trial.suggest_categorical(key, list(cast(Any, sweep.sweep_string_iterator()))))
    raise ConfigError(
        f"search of {key}", got=sweep.get_value_string(), expected="values, a range or an interval", remedy="correct it"
    )


def _tell(settings: HyperSearchSettings, context: Context, work: Stage, folder: Path) -> str:
    larger = settings.direction == "maximize"
    found = records(folder)
    shown = table(found, settings.metric, larger=larger)
    work.run.log_table(shown, "trials.csv")
    if settings.out is not None:
        with tempfile.TemporaryDirectory() as scratch:
            shown.to_csv(Path(scratch, "trials.csv"), index=False)
            copy_out(Path(scratch), settings.out)
    good = [record for record in found if record.value is not None]
    if not good:
        raise TrainingError(
            "search",
            got=f"{len(found)} trials, none of which ended well, the first for: {found[0].error}",
            expected="one that does",
            remedy="correct what they have in common; the same command tries again",
        )
    for line in shown.drop(columns=["run", "error"]).to_string(index=False).splitlines():
        context.terminal.line(line)
    best = (max if larger else min)(good, key=lambda record: cast(float, record.value))
    work.run.log_headline(
        {f"search/{settings.metric}": cast(float, best.value), "search/failed": len(found) - len(good)}
    )
    work.run.set_tags(
        {
            "best.run": best.run_id,
            "best.version": best.version,
            **{f"best.{key}": value for key, value in best.tried.items()},
        }
    )
    words = " ".join(itertools.starmap("{}={}".format, best.tried.items()))
    context.terminal.line(f"search: best {settings.metric} {best.value:.4f}: {words}, {best.version}")
    return best.version


def _key(sweep: Override) -> str:
    return sweep.get_key_element().lstrip("+")


def _plain(config: DictConfig) -> Mapping[str, object]:
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in cast(dict[Any, object], plain).items()}


if __name__ == "__main__":
    leave(command("search", HyperSearchSettings, run, PARAMETERS, own=own_overrides))
