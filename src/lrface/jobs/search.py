"""`search`: many trainings that differ in some keys, each a run below this one, and which of them was best."""

import itertools
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig, OmegaConf

from lrface.cli.context import Context
from lrface.cli.parameters.compose import composed, config_folder
from lrface.cli.parameters.space import key_of, space_of
from lrface.cli.terminal.terminal import Terminal
from lrface.config import HyperSearchSettings
from lrface.errors import ConfigError, TrainingError
from lrface.jobs.shared.stage import Stage, copy_out, stage
from lrface.jobs.shared.trials import Search, Trial, made, records, table, try_out
from lrface.tracking.runs.run import Run


def run(settings: HyperSearchSettings, context: Context, parent: Run | None = None) -> str:
    """Try out every combination, or as many as are wanted; return the version that was best, as a URI."""
    space = space_of(settings, context.given)
    fixed, sweeps = space.fixed, space.sweeps
    described = json.dumps([*fixed, *(sweep.input_line or "" for sweep in sweeps)])
    with stage(
        "search", settings, context, name=f"search {settings.job}", inputs={"space": described}, parent=parent
    ) as work:
        work.run.set_tags({f"space.{key_of(sweep)}": sweep.get_value_string() for sweep in sweeps})
        tracking = settings.tracking.model_dump(mode="json")
        if not context.store.embedded:  # a worker of a cluster has not the environment that may have named it
            tracking["uri"] = context.store.uri
        search = Search(
            settings.job,
            str(context.root),
            tracking,
            work.run.run_id,
            work.run.name,
            str(work.folder / "trials"),
            settings.metric,
            context.terminal.log,
        )
        if settings.sampler != "grid":
            _sampled(search, settings, fixed, sweeps, work.folder / "optuna.journal", context.terminal)
        elif settings.cluster.engine == "none":
            _grid(search, fixed, sweeps, space.launching, work.folder / "hydra")
        else:
            trials = _combinations(search.job, fixed, sweeps)
            for _ in made(search, trials, len(trials), settings.cluster, context.terminal):
                pass
        return _tell(settings, context, work, Path(search.folder))


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


def _combinations(job: str, fixed: list[str], sweeps: list[Override]) -> list[Trial]:
    """Every combination of a grid, in the order in which Hydra would run them."""
    every = itertools.product(*([str(value) for value in sweep.sweep_string_iterator()] for sweep in sweeps))
    return [_trial(job, fixed, sweeps, values) for values in every]


def _trial(job: str, fixed: list[str], sweeps: list[Override], values: Sequence[str], number: int = 0) -> Trial:
    words = [f"{sweep.get_key_element()}={value}" for sweep, value in zip(sweeps, values, strict=True)]
    tried = dict(zip(map(key_of, sweeps), values, strict=True))
    return Trial(composed(job, [*fixed, *words]), tried, number)


def _sampled(
    search: Search,
    settings: HyperSearchSettings,
    fixed: list[str],
    sweeps: list[Override],
    journal: Path,
    terminal: Terminal,
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

    def asked() -> Iterator[Trial]:
        for _ in range(settings.trials - done):
            trial = study.ask()
            values = [_suggested(trial, sweep) for sweep in sweeps]
            yield _trial(search.job, fixed, sweeps, values, trial.number)

    for trial, value in made(search, asked(), settings.trials - done, settings.cluster, terminal):
        if math.isnan(value):
            study.tell(trial.number, state=TrialState.FAIL)
        else:
            study.tell(trial.number, value)


def _suggested(trial: Any, sweep: Override) -> str:  # noqa: ANN401 - Optuna is an extra, so its types may be absent
    """A value as Optuna suggests it, written as Hydra reads it."""
    key, value = key_of(sweep), sweep.value()
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
        context.terminal.result(line)
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
    context.made.versions.append(best.version)
    context.terminal.result(f"search: best {settings.metric} {best.value:.4f}: {words}, {best.version}")
    return best.version


def _plain(config: DictConfig) -> Mapping[str, object]:
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in cast(dict[Any, object], plain).items()}
