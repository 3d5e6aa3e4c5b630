import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lrface.evaluation.verdict import simulations
from lrface.evaluation.verdict.simulate import Check, SimulationSettings
from lrface.evaluation.verdict.simulations import main, simulate

TINY = "--runs 10 --replicates 100 --subjects 10 --probes 3"


def test_all_checks_are_run_and_tabled():
    told = []
    quick = SimulationSettings(runs=10, replicates=100, subjects=10, probes=3)
    table = simulate(quick, progress=lambda *step: told.append(step))
    assert list(table.columns) == ["name", "value", "low", "high", "runs", "bounded", "passed"]
    assert [check.name for check, _, _ in told] == list(table["name"])
    assert told[-1][1] == told[-1][2]
    assert {"coverage", "null", "harm", "power"} <= {name.split(":")[0] for name in table["name"]}
    bounds = {(row.low, row.high) for row in table.itertuples() if row.bounded}
    assert bounds == {(0.93, 0.97), (0.0, 0.05), (0.80, 1.0)}


@pytest.mark.parametrize(("value", "code"), [(0.95, 0), (0.90, 1)])
def test_the_exit_code_says_whether_all_is_within_bounds(monkeypatch, capsys, value, code):
    checks = [Check("coverage: x", value, 0.93, 0.97, 10), Check("power: y", 0.5, 0.8, 1.0, 10, bounded=False)]
    monkeypatch.setattr(simulations, "steps", lambda settings: [lambda: checks])
    assert main([]) == code
    shown = capsys.readouterr().out.splitlines()
    assert f"{value:.3f} [" in shown[1]
    assert ("OUT OF BOUNDS" in shown[1]) == bool(code)
    assert "without a bound" in shown[2]
    assert shown[-1] == ("1 out of bounds: coverage: x" if code else "all within their bounds")


def test_what_make_simulate_runs_ends_non_zero_where_coverage_cannot_be_told():
    """Ten runs have no share between 93 and 97 %, so every check of coverage fails."""
    makefile = (Path(__file__).resolve().parents[3] / "Makefile").read_text()
    (recipe,) = re.findall(r"^simulate:.*\n\t(.+)$", makefile, flags=re.MULTILINE)
    words = shlex.split(recipe.replace("$(SIMULATE)", TINY).partition(" ")[2])
    assert words[0] == "python"
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "OUT OF BOUNDS" in done.stdout
    assert "out of bounds: coverage" in done.stdout.splitlines()[-1]


def test_counts_that_cannot_be_are_refused_in_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--runs", "1"])
    assert left.value.code == 2
    assert "runs: got 1" in capsys.readouterr().err.splitlines()[-1]
