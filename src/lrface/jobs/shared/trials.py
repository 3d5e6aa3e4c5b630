"""The trials of a search: each is a run of its own below the search's, and a record in the search's folder."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from lrface.cli.context import Context
from lrface.cli.parameters.compose import validated
from lrface.cli.terminal.terminal import Log, Terminal, terminal_of
from lrface.config import SCHEMAS, JobSettings
from lrface.engines.settings import ClusterSettings
from lrface.engines.spread import as_they_end, engine_of
from lrface.errors import ConfigError, LrfaceError
from lrface.jobs.shared.inputs import inputs_of
from lrface.jobs.shared.stage import NOT_PARAMS
from lrface.models.device import pick_device
from lrface.tracking.runs.run import OthersRun
from lrface.tracking.runs.spool import write_atomically
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import connect

NOT_FIGURES = frozenset({"train", "val", "val_start", "stage1", "system"})


@dataclass(frozen=True)
class Search:
    """What every trial needs to know, as plain values: a launcher may carry it to another machine.

    Attributes:
        job: The training.
        root: The project's folder.
        tracking: Where runs are tracked.
        run_id: The run of the search.
        name: Its name.
        folder: Its folder for records.
        metric: The figure that is searched for.
        log: What the terminal shows.
    """

    job: str
    root: str
    tracking: dict[str, Any]
    run_id: str
    name: str
    folder: str
    metric: str
    log: Log = "plain"


@dataclass(frozen=True)
class Record:
    """How a trial ended.

    Attributes:
        tried: Value by key, of the keys that differ between trials.
        value: The figure; none where the trial failed.
        run_id: Its run; empty where it failed.
        version: What it registered, without an alias.
        error: Why it failed.
    """

    tried: dict[str, str]
    value: float | None
    run_id: str = ""
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class Trial:
    """A trial that is to be made.

    Attributes:
        config: The composed config of the training.
        tried: Which of its keys were chosen for this trial, and how.
        number: What the sampler calls it.
    """

    config: Mapping[str, object]
    tried: Mapping[str, str]
    number: int = 0

    @property
    def words(self) -> str:
        """What was chosen."""
        return " ".join(f"{key}={value}" for key, value in self.tried.items())


def try_trial(search: Search, trial: Trial) -> float:
    """As `try_out`, for a worker of a cluster."""
    return try_out(search, trial.config, trial.tried)


def made(
    search: Search, trials: Iterable[Trial], count: int, cluster: ClusterSettings, terminal: Terminal
) -> Iterator[tuple[Trial, float]]:
    """Make trials, here one after the other or spread over a cluster, and yield each with its figure as it ends.

    Args:
        search: Of which search.
        trials: The trials; of a stream as many are taken as can be made at once.
        count: How many they are.
        cluster: What spreads them.
        terminal: Where a person is told which is done; on a cluster they speak into its log alone.

    Raises:
        ClusterError: The cluster does not answer, or its workers die again and again.
    """
    if cluster.engine == "none":
        for trial in trials:
            yield trial, try_trial(search, trial)
        return
    with terminal.progress("search") as progress, engine_of(cluster) as engine:
        progress(0, count)
        ended = as_they_end(engine, partial(try_trial, search), trials, cluster.retries)
        for done, (trial, value) in enumerate(ended, 1):
            how = "failed" if math.isnan(value) else f"{search.metric} {value:.4f}"
            terminal.line(f"trial {trial.words}: {how}")
            progress(done, count)
            yield trial, value


def try_out(search: Search, config: Mapping[str, object], tried: Mapping[str, str]) -> float:
    """Run a trial, unless the same one has been done before.

    Args:
        search: Of which search.
        config: The composed config of the training.
        tried: Which of its keys were chosen for this trial, and how.

    Returns:
        The figure; NaN where the training failed, which is told and recorded.
    """
    terminal = terminal_of(search.log)
    words = " ".join(f"{key}={value}" for key, value in tried.items())
    settings = validated(search.job, SCHEMAS[search.job], config)
    root = Path(search.root)
    store = connect(root, TrackingSettings.model_validate(search.tracking))
    context = Context(root, store, terminal, pick_device(settings.device), {}, names=False)
    place = Path(search.folder) / f"{_digest(settings, context)}.json"
    if place.is_file() and (done := Record(**json.loads(place.read_text()))).value is not None:
        terminal.line(f"trial {words}: done before, {search.metric} {done.value:.4f}")
        return done.value
    terminal.line(f"trial {words}")
    try:
        record = _run(search, settings, dict(tried), context)
    except (LrfaceError, torch.OutOfMemoryError) as error:
        record = Record(dict(tried), None, error=" ".join(str(error).split())[:500])
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, json.dumps(asdict(record)))
    if record.value is None:
        terminal.line(f"trial {words}: failed: {record.error}")
        return math.nan
    terminal.line(f"trial {words}: {search.metric} {record.value:.4f}, {record.version}")
    return record.value


def _run(search: Search, settings: JobSettings, tried: dict[str, str], context: Context) -> Record:
    parent = OthersRun(context.store, search.run_id, search.name)
    version = import_module(f"lrface.jobs.{search.job}").run(settings, context, parent)
    figures = {
        key.rpartition("/")[2]: value
        for key, value in context.store.client.get_run(version.run_id).data.metrics.items()
        if key.partition("/")[0] not in NOT_FIGURES
    }
    if search.metric not in figures or not math.isfinite(figures[search.metric]):
        raise ConfigError(
            "metric",
            got=search.metric,
            expected=f"a finite figure of {search.job}: {', '.join(sorted(figures)) or 'none, since it did not train'}",
            remedy="choose one of these",
        )
    return Record(tried, figures[search.metric], version.run_id, version.uri)


def records(folder: Path) -> list[Record]:
    """What the trials of a search have recorded."""
    return [Record(**json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def table(found: list[Record], metric: str, *, larger: bool) -> pd.DataFrame:
    """Trials, the best first: what was tried, the figure, run, version, and why one failed."""
    rows = [
        {**record.tried, metric: record.value, "run": record.run_id, "version": record.version, "error": record.error}
        for record in found
    ]
    return pd.DataFrame(rows).sort_values(metric, ascending=not larger, na_position="last", ignore_index=True)


def _digest(settings: JobSettings, context: Context) -> str:
    work = settings.model_dump(mode="json", exclude={*NOT_PARAMS, "device"})
    work["inputs"] = inputs_of(settings, context)
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:16]
