"""What a search tries out: which overrides are the same in every trial, which differ, and what cannot be searched."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from lrface.cli.parameters.compose import check_preset, composed, free_overrides, given_overrides, validated
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.config import SCHEMAS, HyperSearchSettings
from lrface.errors import ConfigError

HYDRA, CLUSTER = "hydra", "cluster."
_MOST_VALUES = 10_000


@dataclass(frozen=True)
class Space:
    """The trials of a search.

    Attributes:
        fixed: Overrides that are the same in every trial.
        sweeps: Those that differ.
        launching: Those for Hydra itself: its launcher.
    """

    fixed: list[str]
    sweeps: list[Override]
    launching: list[str]


def own_overrides(text: str) -> list[str]:
    """The overrides of the search itself: tracking, and what spreads trials. All others are the training's."""
    return [part for part in free_overrides(text) if part.lstrip("+~").startswith(("tracking.", CLUSTER))]


def space_of(settings: HyperSearchSettings, given: Mapping[str, str]) -> Space:
    """The space that the parameters of a search describe.

    Raises:
        ConfigError: It is empty, endless, or not one that the sampler or the training can take.
    """
    job = settings.job
    parameters = (*COMMON, *PARAMETERS[job])
    chosen = {parameter.name: given.get(parameter.name, "") for parameter in parameters}
    chosen["out"] = ""
    check_preset(job, chosen)
    parts = given_overrides(job, SCHEMAS[job], chosen, parameters)
    launching = [part.lstrip("+") for part in parts if part.lstrip("+").startswith(HYDRA)]
    parts = [part for part in parts if not part.lstrip("+~").startswith((HYDRA, CLUSTER))]
    try:
        parsed = OverridesParser.create().parse_overrides(parts)
    except (HydraException, ValueError) as error:
        got = " ".join(str(error).split())
        raise ConfigError("overrides", got=got, expected="key=value", remedy="correct the override") from error
    sweeps = [override for override in parsed if override.is_sweep_override()]
    fixed = [part for part, override in zip(parts, parsed, strict=True) if not override.is_sweep_override()]
    space = Space(fixed, sweeps, launching)
    _refuse(settings, space)
    return space


def _refuse(settings: HyperSearchSettings, space: Space) -> None:
    if not space.sweeps:
        raise ConfigError(
            "search",
            got="no key with several values",
            expected="overrides such as loss.l1=1,2,4 or optim.lr=tag(log,interval(1e-5,1e-3))",
            remedy="name what is to be searched",
        )
    if settings.sampler == "grid":
        endless = [key_of(sweep) for sweep in space.sweeps if isinstance(sweep.value(), IntervalSweep)]
        if endless:
            raise ConfigError(
                "search",
                got=f"a grid over the interval of {', '.join(endless)}",
                expected="values, or a range with steps",
                remedy="list values, or take sampler=optuna or random",
            )
    elif space.launching:
        raise ConfigError(
            "search",
            got=f"{space.launching[0]} with sampler={settings.sampler}",
            expected="a launcher with sampler=grid only",
            remedy="take sampler=grid, or leave the launcher out",
        )
    if space.launching and settings.cluster.engine != "none":
        raise ConfigError(
            "search",
            got=f"{space.launching[0]} and cluster.engine={settings.cluster.engine}",
            expected="one way of spreading trials",
            remedy="leave one of them out",
        )
    schema = SCHEMAS[settings.job]
    settled = validated(settings.job, schema, composed(settings.job, space.fixed))
    if getattr(settled, "trainer").devices != 1:  # noqa: B009 - of every training, but not of every job
        raise ConfigError(
            "trainer.devices",
            got="several in a search",
            expected="1",
            remedy="leave it out; a launcher spreads trials over devices",
        )
    # Hydra would show a wrong value with a traceback, and only when its trial's turn has come.
    firsts = [f"{sweep.get_key_element()}={_values(sweep)[0]}" for sweep in space.sweeps]
    for place, sweep in enumerate(space.sweeps):
        for value in _values(sweep):
            words = [*firsts[:place], f"{sweep.get_key_element()}={value}", *firsts[place + 1 :]]
            validated(settings.job, schema, composed(settings.job, [*space.fixed, *words]))


def _values(sweep: Override) -> list[str]:
    """What a sweep may set its key to: every choice, of a range or an interval the ends.

    Raises:
        ConfigError: A range without an end, or of too many values; an interval whose ends are none; something else.
    """
    value, key = sweep.value(), key_of(sweep)
    if isinstance(value, IntervalSweep):
        ends = [cast(float, value.start), cast(float, value.end)]
        if not all(map(math.isfinite, ends)):
            raise _no_values(key, f"interval({ends[0]},{ends[1]})", "an interval with two ends")
        return [str(int(end) if "int" in value.tags else end) for end in ends]
    if isinstance(value, RangeSweep):
        try:
            start, stop, step = (float(cast(float, part)) for part in (value.start, value.stop, value.step))
        except OverflowError:  # a whole number of hundreds of digits
            start, stop, step = 0.0, math.inf, 1.0
        if not step or not math.isfinite((stop - start) / step) or abs(stop - start) / abs(step) > _MOST_VALUES:
            raise _no_values(
                key,
                f"range({value.start},{value.stop},{value.step})",
                f"a step, an end, and {_MOST_VALUES} values or fewer",
            )
    elif not isinstance(value, ChoiceSweep):
        raise _no_values(key, f"{type(value).__name__}", "values, a range or an interval")
    every = [str(element) for element in sweep.sweep_string_iterator()]
    if not every:
        raise _no_values(key, "a range without a value in it", "a value or more")
    return every if isinstance(value, ChoiceSweep) else [every[0], every[-1]]


def _no_values(key: str, got: str, expected: str) -> ConfigError:
    return ConfigError(f"search over {key}", got=got, expected=expected, remedy="correct the override")


def key_of(sweep: Override) -> str:
    """The config key that a sweep sets."""
    return sweep.get_key_element().lstrip("+")
