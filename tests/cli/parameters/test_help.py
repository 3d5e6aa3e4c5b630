"""What a command line answers before anything heavy is imported."""

import subprocess
import sys

import pytest

from lrface.cli.parameters.compose import presets_of
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.cli.parameters.help import help_texts
from lrface.config import SCHEMAS

HEAVY = {"torch", "mlflow", "lightning", "kornia", "pandas", "cv2"}
COMMANDS = {
    "evaluate --help": 0,
    "search --help": 0,
    "inspect --help": 0,
    "main --colour red": 1,
    "main --preset smoke --overrides finetune.margin.scale=0": 1,
    "search --overrides loss.l1=1": 1,
    "train_dsr --epochs many": 1,
    "curve --log loud": 1,
}
SCRIPT = f"""
import sys
from lrface.cli.program import main
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as left:
        print("left", left.code, *sorted({HEAVY!r} & set(sys.modules)))
"""


def test_help_and_refusals_come_before_torch_and_mlflow(person, tmp_path, request):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *COMMANDS],
        cwd=tmp_path,
        env=person(PYTHONPATH=str(request.config.rootpath / "src")),
        capture_output=True,
        text=True,
        check=True,
    )

    left = [line for line in done.stdout.splitlines() if line.startswith("left ")]
    assert left == [f"left {code}" for code in COMMANDS.values()]
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == sum(COMMANDS.values())


def _texts(job):
    parameters = (*COMMON, *PARAMETERS[job])
    return {
        parameter.name: text
        for parameter, text in zip(parameters, help_texts(job, SCHEMAS[job], parameters), strict=True)
    }


@pytest.mark.parametrize("job", SCHEMAS)
def test_every_parameter_is_told_with_its_default(job):
    texts = _texts(job)

    assert not {name for name, text in texts.items() if "default " not in text and name not in {"overrides", "source"}}
    assert all(preset in texts["preset"] for preset in presets_of(job))


def test_defaults_and_ranges_are_those_of_the_job():
    assert "whole number ≥ 2, ≤ 65536; default 16" in _texts("train_dsr")["batch_size"]
    assert "whole number ≥ 2, ≤ 65536; default 32" in _texts("finetune")["batch_size"]
    assert "base, edge; default base" in _texts("train_dsr")["dsr"]
    assert "[models:/edgeface@pretrained]" in _texts("curve")["edgeface"]
    assert "smoke" in _texts("main")["preset"]
