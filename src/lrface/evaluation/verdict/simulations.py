"""The simulations by which intervals and verdict are judged: `make simulate`.

Coverage of the 95 % intervals must lie in 93 to 97 %; a pair that is no better must be promoted in at most 5 %; one
that has lost 3 points at full size, whatever it has gained, in at most 5 %; one that is 6 points better on 500 probes
of 50 subjects, seen at the sizes at which `promote` looks, in at least 80 %. At full size the two recognisers win and
lose probes from each other in all of them.

The rule promotes with a gain over 5 points. A gain that is truly 6 is measured with a standard error of one point and
more on 500 probes, so at a single size even the rule alone, without interval and gates, says promote in no more than
80 %: no statistics can lift it. Those designs are told without a bound, with what the rule alone would say beside them.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

import pandas as pd
from pydantic import ValidationError

from lrface.evaluation.verdict.simulate import (
    Check,
    Design,
    Population,
    SimulationSettings,
    difference_coverage,
    mean_coverage,
    pair_coverage,
    promotions,
    share_coverage,
    table_of,
)

NULL_BOUND = 0.05
POWER_BOUND = 0.80
HARM_BOUND = 0.05
PROMOTE_SIZES = [0.60, 0.75, 0.85]  # rank-1 at the three sizes at which `promote` looks
RAISED = [0.66, 0.81, 0.91]
FAR_RAISED = [0.70, 0.85, 0.95]
HARMED = {0.95: 0.92, 0.99: 0.96}  # rank-1 at full size, before and after

Step = Callable[[], list[Check]]


def steps(settings: SimulationSettings) -> list[Step]:
    """Gives all simulations.

    The power design is a candidate that is 6 points better at each of three sizes and hardly ever loses a probe that
    the champion gets, as measured between bicubic probes of 12 and of 14 pixels on real faces (6.2 points gained,
    none lost). Unlike arms are two that also win and lose probes from each other. The harmful candidate gains so much
    at small sizes that nothing but its loss at full size can stop it.
    """
    few = settings.model_copy(update={"subjects": max(2, settings.subjects * 2 // 5)})
    many = settings.model_copy(update={"subjects": 2 * settings.subjects})
    unlike = Population(own=0.4, own_subject=0.2)
    null, power, harm = (0.0, NULL_BOUND), (POWER_BOUND, 1.0), (0.0, HARM_BOUND)
    three, one = (PROMOTE_SIZES, RAISED), ([0.8], [0.86])
    far, equal, single = (PROMOTE_SIZES, FAR_RAISED), (PROMOTE_SIZES, PROMOTE_SIZES), ([0.8], [0.8])

    def step(
        name: str, design: Design, bounds: tuple[float, float], of: SimulationSettings = settings, *, told: bool = False
    ) -> Step:
        return lambda: promotions(name, design, of, bounds, bounded=not told)

    return [
        lambda: [share_coverage(0.8, settings)],
        lambda: [share_coverage(0.95, settings)],
        lambda: [share_coverage(0.8, few)],
        lambda: [mean_coverage(settings)],
        lambda: [difference_coverage((0.80, 0.86), settings)],
        lambda: [difference_coverage((0.80, 0.80), settings)],
        lambda: [pair_coverage(0.01, settings)],
        lambda: [share_coverage(0.99, few)],
        step("null: the same pair twice", Design(equal, population=unlike, same=True), null),
        step("null: another pair, equally good", Design(equal, population=unlike), null),
        step("null: the same at one size", Design(single, population=unlike), null),
        *(
            step(
                f"harm: {before:g} to {after:g} at full size, +10 points{where}",
                Design(far, (before, after)),
                harm,
                of,
            )
            for before, after in HARMED.items()
            for where, of in (("", settings), (", fewer people", few))
        ),
        step("power: +6 points at three sizes", Design(three), power),
        step("power: +6 points at one size", Design(one), power, told=True),
        step("power: +6 at three sizes, unlike arms", Design(three, population=unlike), power, told=True),
        step("power: +10 at three sizes, unlike arms", Design(far, population=unlike), power, told=True),
        step("power: +10 at three sizes, unlike, fewer people", Design(far, population=unlike), power, few, told=True),
        step("power: +6 at one size, twice the people", Design(one), power, many, told=True),
    ]


def simulate(
    settings: SimulationSettings | None = None, progress: Callable[[Check, int, int], None] | None = None
) -> pd.DataFrame:
    """Runs all simulations.

    Args:
        settings: How much is simulated.
        progress: Told each check as it is done, steps done and steps in all.

    Returns:
        A row per check: name, value, low, high, runs, bounded, passed.
    """
    wanted = steps(settings or SimulationSettings())
    checks = []
    for done, step in enumerate(wanted, start=1):
        for check in step():
            checks.append(check)
            if progress is not None:
                progress(check, done, len(wanted))
    return table_of(checks)


def line(check: Check, done: int, total: int) -> str:
    """Says a check in one line."""
    bounds = f"must be {check.low:.2f} to {check.high:.2f}" if check.bounded else "told without a bound"
    low, high = check.interval
    state = "" if check.passed else "  OUT OF BOUNDS"
    return f"[{done:2}/{total}] {check.name:62} {check.value:6.3f} [{low:.3f}, {high:.3f}]  {bounds}{state}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all simulations and prints them; 1 where one is out of bounds, else 0."""
    parser = argparse.ArgumentParser(prog="python -m lrface.evaluation.verdict.simulations", allow_abbrev=False)
    for name, field in SimulationSettings.model_fields.items():
        parser.add_argument(f"--{name}", type=int, default=field.default, help=f"{field.description} ({field.default})")
    try:
        settings = SimulationSettings(**vars(parser.parse_args(arguments)))
    except ValidationError as error:
        problem = error.errors()[0]
        parser.error(f"{problem['loc'][0]}: got {problem['input']}; {problem['msg']}")
    print(
        f"{settings.runs} simulated evaluations per line, {settings.subjects * settings.probes} probes of "
        f"{settings.subjects} subjects, {settings.replicates} bootstrap replicates, seed {settings.seed}"
    )
    table = simulate(settings, lambda check, done, total: print(line(check, done, total), flush=True))
    failed = table[~table["passed"]]
    said = "all within their bounds" if failed.empty else f"{len(failed)} out of bounds: {'; '.join(failed['name'])}"
    print(said)
    return int(not failed.empty)


if __name__ == "__main__":
    sys.exit(main())
