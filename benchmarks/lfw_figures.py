"""Table and picture of `lfw.py`: the pair against the recogniser that needs no super-resolver, over the seeds."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrface.evaluation.protocol.conditions import described
from lrface.evaluation.public.gain import OVER
from lrface.evaluation.public.verification import both_small
from lrface.tracking.names import DSR, EDGEFACE, VersionTag
from lrface.tracking.registry.versions import versions_of
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import Store, connect

PAIR, RIVAL, FLOOR = "dsr_cycle-finetuned", "bicubic-direct", "bicubic-pretrained"
ARMS = (
    (FLOOR, "bicubic, pretrained"),
    ("dsr_baseline-pretrained", "DSR baseline, pretrained"),
    ("dsr_cycle-pretrained", "DSR cycle, pretrained"),
    ("bicubic-finetuned", "bicubic, finetuned"),
    (PAIR, "**DSR cycle, finetuned: the pair**"),
    (RIVAL, "**bicubic, direct**"),
)
JUDGED = (("bicubic", "bicubic"), ("dsr_baseline", "DSR baseline"), ("dsr_cycle", "DSR cycle"))
HIGH = (("hr-pretrained", "pretrained"), ("hr-finetuned", "finetuned"), ("hr-direct", "direct"))
METRICS = ("accuracy", "tar_at_far_1e-2")
NAMING = ("rank1", "tpir_at_fpir_1e-1")
CALLED = {
    "accuracy": "accuracy",
    "tar_at_far_1e-2": "TAR at FAR .01",
    "rank1": "rank-1",
    "tpir_at_fpir_1e-1": "TPIR at FPIR .1",
}
COLOURS = {FLOOR: "#8a8a8a", PAIR: "#1b6ca8", RIVAL: "#d1495b"}


def told(projects: Sequence[Path], given: argparse.Namespace) -> tuple[str, Figure]:
    """The page in Markdown, and the picture, of the seeds that are there."""
    conditions = [name for name in given.conditions if any(_file(path, name).is_file() for path in projects)]
    if not conditions:
        raise SystemExit("table: got no seed that is done; expected one; start the same command without --table")
    parts = []
    for condition in conditions:
        found, judged = _records(projects, condition), _records(projects, f"{condition}-judge")
        for name in dict.fromkeys(found["set"]):
            parts += _part(found[found["set"] == name], condition, name, given)
            if not judged.empty:
                parts += ["Read by a recogniser that took no part in the training:\n"]
                parts += [_table(judged[judged["set"] == name], JUDGED, (("hr", ""),))]
        named = _records(projects, f"people-{condition}")
        if not named.empty:
            parts += _naming(named, condition)
    parts += ["## What was trained\n", _trained(projects)]
    first = _records(projects, conditions[0])
    return "\n".join(parts) + "\n", _picture(first[first["set"] == first["set"].iloc[0]], conditions[0])


def _part(found: pd.DataFrame, condition: str, name: str, given: argparse.Namespace) -> list[str]:
    """One set under one condition."""
    seeds, pairs = found["seed"].nunique(), int(found.loc[found["metric"] == "accuracy", "n"].max())
    both = name == both_small(name.removesuffix(both_small(""))) or "pairs.small=both" in given.verify
    small = "both faces small" if both else "one face HR, the other small"
    said = f" ({' '.join(given.verify)})" if given.verify else ""
    spread = "one seed" if seeds == 1 else f"mean and standard deviation of {seeds} seeds"
    return [
        f"## {name}, {condition}: {described(condition)}\n",
        f"{pairs:,} pairs, {small}{said}; accuracy / TAR at FAR .01, per cent, {spread}.\n",
        _table(found, ARMS, HIGH),
        _gains(found),
    ]


def _naming(found: pd.DataFrame, condition: str) -> list[str]:
    """The people of the set under one condition, each enrolled by one HR face; who has but one is a stranger."""
    probes = int(found.loc[found["metric"] == NAMING[0], "n"].max())
    return [
        f"## Naming, {condition}: {described(condition)}\n",
        f"{probes:,} probes among everybody with two pictures or more, one HR face each enrolled; who has but one is a "
        f"stranger; {' / '.join(CALLED[metric] for metric in NAMING)}, per cent.\n",
        _table(found, ARMS, HIGH, NAMING),
        _gains(found, NAMING),
    ]


def _file(project: Path, name: str) -> Path:
    return project / name / "metrics.json"


def _records(projects: Iterable[Path], name: str) -> pd.DataFrame:
    """All records of all seeds under a condition."""
    tables = [
        pd.DataFrame(json.loads(_file(project, name).read_text())).assign(seed=project.name)
        for project in projects
        if _file(project, name).is_file()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _of(found: pd.DataFrame, arm: str, size: int, metric: str) -> pd.DataFrame:
    return found[(found["arm"] == arm) & (found["size"] == size) & (found["metric"] == metric)].dropna(subset=["value"])


def _cell(found: pd.DataFrame, arm: str, size: int, metrics: Sequence[str]) -> str:
    parts = []
    for metric in metrics:
        values = 100 * _of(found, arm, size, metric)["value"].to_numpy(np.float64)
        if values.size:
            parts.append(f"{values.mean():.1f}" + (f" ±{values.std(ddof=1):.1f}" if values.size > 1 else ""))
    return " / ".join(parts)


def _sizes(found: pd.DataFrame) -> list[int]:
    return sorted(int(size) for size in set(found["size"]) - {112})


def _table(
    found: pd.DataFrame,
    arms: Sequence[tuple[str, str]],
    high: Sequence[tuple[str, str]],
    metrics: Sequence[str] = METRICS,
) -> str:
    sizes = _sizes(found)
    lines = ["| arm | " + " | ".join(f"{size} px" for size in sizes) + " |", "| --- " * (len(sizes) + 1) + "|"]
    for arm, label in arms:
        if (found["arm"] == arm).any():
            lines.append(f"| {label} | " + " | ".join(_cell(found, arm, size, metrics) for size in sizes) + " |")
    told = [(label, _cell(found, arm, 112, metrics)) for arm, label in high]
    whole = ", ".join(f"{label} {cell}".strip() for label, cell in told if cell)
    return "\n".join([*lines, "", *([f"Both faces HR: {whole}.", ""] if whole else [])])


def _gains(found: pd.DataFrame, metrics: Sequence[str] = METRICS) -> str:
    """The pair over the rival: the mean over the seeds of the gain and of the ends of its interval."""
    sizes = _sizes(found)
    drawn = found["over"].dropna() if "over" in found else found.iloc[:0]
    units = str(drawn.iloc[0]) if len(drawn) else "people"
    lines = [
        f"The pair over direct, points, with the 95 % interval over {units} (value and ends: means over the seeds):\n",
        "| | " + " | ".join(f"{size} px" for size in sizes) + " |",
        "| --- " * (len(sizes) + 1) + "|",
    ]
    for metric in metrics:
        cells = []
        for size in sizes:
            own = 100 * _of(found, PAIR, size, f"{metric}{OVER}")[["value", "low", "high"]].astype(float).mean()
            cells.append("" if own.isna().all() else f"{own['value']:+.1f} ({own['low']:+.1f} to {own['high']:+.1f})")
        lines.append(f"| {CALLED[metric]} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _trained(projects: Iterable[Path]) -> str:
    """Faces that each network has seen, and how long its run was, by seed."""
    lines = ["| seed | network | faces seen, with those of its start | minutes |", "| --- | --- | --- | --- |"]
    for project in projects:
        if not (project / "mlruns" / "mlflow.db").is_file():
            continue
        store = connect(project, TrackingSettings())
        for name in (EDGEFACE, DSR):
            for version in reversed(versions_of(store, name)):
                seen = version.tags.get(VersionTag.FACES_SEEN)
                if seen is not None:
                    whole = int(version.tags[VersionTag.FACES_IN_ALL])
                    said = f"{int(seen):,}" + (f" ({whole:,})" if whole != int(seen) else "")
                    names = "/".join(version.aliases) or f"version {version.version}"
                    lines.append(f"| {project.name} | {name}@{names} | {said} | {_minutes(store, version.run_id)} |")
    return "\n".join([*lines, ""])


def _minutes(store: Store, run_id: str) -> str:
    info = store.client.get_run(run_id).info
    return "" if info.end_time is None else f"{(info.end_time - info.start_time) / 60_000:.1f}"


def _picture(found: pd.DataFrame, condition: str) -> Figure:
    """Accuracy and TAR by size of the floor, the rival and the pair; bars are the spread over the seeds."""
    figure = Figure(figsize=(11, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    sizes = _sizes(found)
    labels = {arm: label.replace("*", "") for arm, label in ARMS}
    for axes, metric, title in zip(figure.subplots(1, 2), METRICS, ("accuracy", "TAR at FAR .01"), strict=True):
        for arm, colour in COLOURS.items():
            values = [100 * _of(found, arm, size, metric)["value"].to_numpy(np.float64) for size in sizes]
            if any(each.size for each in values):
                middle = [each.mean() if each.size else np.nan for each in values]
                spread = [each.std(ddof=1) if each.size > 1 else 0.0 for each in values]
                axes.errorbar(sizes, middle, spread, marker="o", capsize=3, color=colour, label=labels[arm])
        high = 100 * _of(found, "hr-pretrained", 112, metric)["value"].to_numpy(np.float64)
        if high.size:
            axes.axhline(high.mean(), color="#222222", linestyle="--", linewidth=1.2, label="both faces HR")
        axes.set_title(f"LFW, {title}, per cent ({condition})", loc="left", fontsize=11)
        axes.set_xlabel("side of the small face, pixels (antialiased bicubic)")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=9)
    return figure
