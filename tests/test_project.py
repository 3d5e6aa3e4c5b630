"""The files at the top agree with each other, with the jobs, and with what the README says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from lrface.cli import program as cli
from lrface.cli.parameters import space
from lrface.cli.parameters import stages as cycle
from lrface.cli.parameters.compose import check_preset, settings_for
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS
from lrface.config import SCHEMAS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())
ENTRIES = PROJECT["entry_points"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WITHOUT_CONFIG = {"inspect"}
OWN = {"main": cycle.own_overrides, "search": space.own_overrides}
FLOATS = {"epochs", "batch_size", "threshold", "fpir", "fmr", "seed", "trials"}


def _parameters(job):
    return [parameter.name for parameter in (*COMMON, *PARAMETERS[job])]


def test_one_name_in_five_places():
    modules = {path.stem for path in (ROOT / "src/lrface/jobs").glob("*.py")}
    configs = {path.stem for path in (ROOT / "conf").glob("*.yaml")}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests/jobs").glob("test_*.py")}

    assert set(ENTRIES) == set(cli.JOBS) - {"info"}
    assert set(ENTRIES) <= modules
    assert set(ENTRIES) == set(SCHEMAS) | WITHOUT_CONFIG
    assert configs == set(SCHEMAS)
    assert set(ENTRIES) <= tested
    assert {cycle.JOBS.get(stage, stage) for stage in cycle.STAGES} < set(ENTRIES)


def test_every_test_of_the_jobs_names_one_of_their_modules_or_a_notebook():
    modules = {path.stem for path in (ROOT / "src/lrface/jobs").glob("*.py")}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests/jobs").glob("test_*.py")}

    notebooks = {path.stem for path in (ROOT / "docs").glob("*.ipynb")}
    assert tests <= modules | notebooks


@pytest.mark.parametrize("job", sorted(set(ENTRIES) - WITHOUT_CONFIG))
def test_an_entry_point_has_the_parameters_of_its_job(job):
    assert sorted(ENTRIES[job]["parameters"]) == sorted(_parameters(job))
    for name, parameter in ENTRIES[job]["parameters"].items():
        assert parameter["default"] in {"auto", ""}, name
        assert parameter["type"] == ("float" if name in FLOATS else "string")


@pytest.mark.parametrize("job", sorted(set(ENTRIES) - WITHOUT_CONFIG))
def test_its_command_hands_each_of_them_on_unquoted(job):
    words = ENTRIES[job]["command"].split()

    assert words[:5] == ["PYTHONPATH=src", "python", "-m", "lrface", job]
    assert words[5:] == [word for name in ENTRIES[job]["parameters"] for word in (f"--{name}", f"{{{name}}}")]


def test_no_lock_of_uv_lies_at_the_top():
    """MLflow would take it in the place of conda.yaml without a word."""
    assert not (ROOT / "uv.lock").exists()


ASKED = [*PYPROJECT["project"]["dependencies"], *chain(*PYPROJECT["project"]["optional-dependencies"].values())]
PINS = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))


def test_conda_yaml_pins_what_the_lock_pins():
    dependencies = yaml.safe_load((ROOT / PROJECT["conda_env"]).read_text())["dependencies"]

    needed = [Requirement(line).name for line in PYPROJECT["project"]["dependencies"]]
    assert dependencies[:2] == ["python=3.11", "pip"]
    assert dependencies[2]["pip"] == [f"{name}=={PINS[name]}" for name in needed]


@pytest.mark.parametrize("line", ASKED)
def test_a_dependency_has_a_lowest_and_a_highest_version_and_the_lock_lies_between(line):
    asked = Requirement(line)

    assert [bound.operator for bound in sorted(asked.specifier, key=str)] == ["<", ">="]
    assert PINS[asked.name.lower()] in asked.specifier


def test_each_bound_of_a_dependency_has_its_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text()
    reasons = re.findall(
        r'^    "[A-Za-z0-9-]+[^"]*[<>=][^"]*",(?: # ([^;\n]+); ([^;\n]+).*)?$', text, flags=re.MULTILINE
    )

    assert len(reasons) == len(ASKED)
    assert all(lowest.strip() and highest.strip() for lowest, highest in reasons), reasons


def test_a_package_has_the_same_range_wherever_it_is_asked_for():
    ranges = {}
    for asked in map(Requirement, ASKED):
        ranges.setdefault(asked.name, set()).add(str(asked.specifier))

    assert [name for name, found in ranges.items() if len(found) > 1] == []


def test_the_lock_holds_every_package_with_hashes_and_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]

    extras = set(re.findall(r"--extra (\w+)", lock.splitlines()[1]))
    assert extras == set(PYPROJECT["project"]["optional-dependencies"])
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock


def test_the_installed_packages_fit_each_other():
    """What stands in for an audit where there is no network; docs/server.md has the command for where there is one."""
    done = _alone(["uv", "pip", "check", "--offline", "--python", sys.executable])

    assert done.returncode == 0, done.stderr


def _commands(page):
    for line in (ROOT / page).read_text().splitlines():
        if line.startswith("    ") and line.split()[0] in {"make", "mlflow", "python"}:
            yield shlex.split(line)


README = [words for words in _commands("README.md") if words[:2] == ["mlflow", "run"]]
COMMANDS = "docs/commands.md"
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
SHOWN = [words for page in ("README.md", *PAGES) for words in _commands(page) if words[:2] == ["mlflow", "run"]]


def test_the_readme_shows_how_to_run_it():
    assert {"main", "evaluate", "promote", "curve"} <= {_entry(words) for words in README}


def test_every_entry_point_is_explained_and_shown():
    table = (ROOT / COMMANDS).read_text().partition("## Examples")[0]
    explained = {name for row in re.findall(r"^\| (`.*?`) \|", table, flags=re.MULTILINE) for name in row.split("`")}

    assert set(ENTRIES) <= explained
    assert set(ENTRIES) - {_entry(words) for words in SHOWN} <= {"app"}  # which `make app` starts


def _entry(words):
    return words[words.index("-e") + 1] if "-e" in words else "main"


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_a_command_that_is_shown_exists_with_its_parameters(words):
    given = dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-P")
    declared = ENTRIES[_entry(words)]["parameters"]

    assert words[2] == "."
    assert set(given) <= set(declared)
    assert {name for name, parameter in declared.items() if "default" not in parameter} <= set(given)


@pytest.mark.parametrize("words", [words for words in SHOWN if _entry(words) not in WITHOUT_CONFIG], ids=" ".join)
def test_a_command_that_is_shown_composes(words):
    """As the job itself does before it touches a face."""
    job = _entry(words)
    parameters = (*COMMON, *PARAMETERS[job])
    given = {parameter.name: "" for parameter in parameters}
    given |= dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-P")

    check_preset(job, given)
    found = settings_for(
        job,
        SCHEMAS[job],
        given,
        parameters,
        OWN[job](given["overrides"]) if job in OWN else None,
    )

    assert isinstance(found, SCHEMAS[job])
    if job == "search":
        assert space.space_of(found, given).sweeps
    if job == "main":
        assert set(cycle.stage_configs(found, given).by_stage) == set(cycle.STAGES)


def test_the_documentation_explains_every_parameter():
    table = (ROOT / COMMANDS).read_text().partition("## Parameters")[2].partition("## Scripts")[0]
    explained = {name for row in re.findall(r"^\| (`.*?`) \|", table, flags=re.MULTILINE) for name in row.split("`")}

    told_of_elsewhere = {"edgeface_a", "dsr_a", "edgeface_b", "dsr_b", "path", "variant", "rollback"}
    assert set(chain(*(entry["parameters"] for entry in ENTRIES.values()))) - told_of_elsewhere <= explained


def test_the_documentation_names_every_preset():
    row = next(line for line in (ROOT / COMMANDS).read_text().splitlines() if line.startswith("| `preset`"))

    assert {path.stem for path in (ROOT / "conf" / "preset").glob("*/*.yaml")} <= set(row.split("`"))


def test_every_file_and_folder_that_the_documentation_names_first_exists():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text())
    folders = re.findall(r"^\| `([a-z/]+/)`", (ROOT / "docs" / "architecture.md").read_text(), flags=re.MULTILINE)

    assert links
    assert folders
    assert all((ROOT / name).exists() for name in (*links, *folders))


def _targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_every_make_target_that_is_named_exists():
    text = "".join((ROOT / name).read_text() for name in ("README.md", ".ci/run"))
    named = set(re.findall(r"(?:^    |`|^)make ([a-z-]+)", text, flags=re.MULTILINE))

    assert {"demo", "test", "ui"} <= named
    assert named <= _targets()


def _alone(command, **changes):
    """Runs a command as a person does, and not as a part of the `make test` that may be running."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "PYTHON", "UV"))}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=own, **changes)


def test_help_lists_the_targets(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)

    shown = _alone(["make", "help"], cwd=tmp_path).stdout

    assert {"env", "demo", "test", "ui", "lint", "clean"} <= set(re.findall(r"make ([a-z]+)", shown))


def test_an_audit_that_finds_or_knows_nothing_is_a_failure(tmp_path):
    """Held against an auditor that knows no package: what it does then is decided by its words."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / ".venv" / ".place").write_text(str(tmp_path))
    (tmp_path / ".venv" / ".complete").touch()
    (programs / "uvx").write_text('#!/bin/sh\necho "$@"\ncase "$*" in *--strict*) exit 1;; esac\n')
    (programs / "uvx").chmod(0o755)

    done = _alone(["make", "audit", "AUDIT=-s osv"], cwd=tmp_path)

    assert done.returncode != 0
    words = done.stdout.splitlines()[-1].split()
    assert re.fullmatch(r"pip-audit@\d+\.\d+\.\d+", words[0])
    assert {"--require-hashes", "--disable-pip"} <= set(words)
    assert words[words.index("--requirement") + 1] == "requirements.lock"
    assert words[-2:] == ["-s", "osv"]


@pytest.mark.parametrize("version", ["3.10", "3.14", None])
def test_a_python_that_will_not_do_is_refused_in_one_line(tmp_path, version):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    python = tmp_path / "python"
    if version:
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)

    done = _alone(["make", "env", f"PYTHON={python}", "UV="], cwd=tmp_path)

    (line, *rest) = done.stderr.splitlines()
    assert done.returncode != 0
    assert line.startswith("error: Python: got")
    assert "expected 3.11, 3.12 or 3.13" in line
    assert version is None or version in line
    assert all(text.startswith("make: ***") for text in rest)
    assert not (tmp_path / ".venv").exists()


def test_ci_calls_make_test_and_passes_its_code_on(tmp_path):
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "run", script)
    (tmp_path / "Makefile").write_text("test:\n\t@echo '=== 3 failed, 2 passed in 1.00s ==='\n\t@exit 3\n")

    done = _alone([script], cwd="/")

    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == "=== 3 failed, 2 passed in 1.00s ==="


@pytest.mark.parametrize("versions", ["oldest", "newest"])
def test_ci_runs_the_versions_that_it_is_told(tmp_path, versions):
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "run", script)
    (tmp_path / "Makefile").write_text("test-oldest:\n\t@echo oldest\ntest-newest:\n\t@echo newest\n")

    assert _alone(["env", f"LRFACE_VERSIONS={versions}", script], cwd="/").stdout.splitlines() == [versions]
    refused = _alone(["env", "LRFACE_VERSIONS=latest", script], cwd="/")
    assert refused.returncode != 0
    assert refused.stderr == "error: LRFACE_VERSIONS: got 'latest'; expected oldest, newest or nothing\n"


@pytest.fixture
def with_uv(tmp_path):
    """A project whose uv only says what it is asked for, and makes an environment whose pytest says it too."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    program = tmp_path / "uv"
    program.write_text(
        '#!/bin/sh\necho "uv $@"\n[ "$1" = venv ] || exit 0\nfor place; do :; done\nmkdir -p "$place/bin"\n'
        'printf \'#!/bin/sh\\necho "pytest $@"\\nexit 5\\n\' > "$place/bin/pytest"\n'
        'cp "$place/bin/pytest" "$place/bin/python"; chmod +x "$place/bin/"*\n'
    )
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "python", "resolution"), [("oldest", "3.11", "lowest-direct"), ("newest", "3.13", "highest")]
)
def test_other_versions_are_tried_in_an_environment_of_their_own(with_uv, target, python, resolution):
    done = _alone(["make", f"test-{target}", f"UV={with_uv}/uv", "TESTS=tests/models -x"], cwd=with_uv)

    said = done.stdout
    place = f"{with_uv}/build/{target}"
    assert done.returncode != 0  # that of pytest
    assert f"uv venv --quiet --python {python} {place}/.venv" in said
    assert f"uv pip sync --quiet --python {place}/.venv/bin/python {place}/requirements.txt" in said
    assert said.splitlines()[-1].startswith("pytest -n ")
    assert said.splitlines()[-1].endswith("--dist loadfile tests/models -x")
    assert not (with_uv / ".venv").exists()
    assert (with_uv / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    recipe = _alone(["make", "-n", f"test-{target}", f"UV={with_uv}/uv"], cwd=with_uv).stdout
    assert f"--upgrade --resolution {resolution}" in recipe


def test_without_uv_other_versions_are_refused_in_one_line(with_uv):
    done = _alone(["make", "test-oldest", "UV="], cwd=with_uv)

    (line, *rest) = done.stderr.splitlines()
    assert line.startswith("error: uv: got none; expected")
    assert all(text.startswith("make: ***") for text in rest)
    assert not (with_uv / "build").exists()


def test_the_hooks_are_the_checks_of_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    tools = {Path(hook["entry"].split()[0]).name for repository in hooks for hook in repository["hooks"]}

    assert [repository["repo"] for repository in hooks] == ["local"]
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert tools == {line.split()[0] for line in recipe.splitlines()[1:]}


def test_a_wheel_carries_the_configs_and_composes_them(tmp_path):
    """Without the source tree: the package is unpacked and used from elsewhere."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=source,
        check=True,
        capture_output=True,
    )
    shutil.rmtree(source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "unpacked")

    configs = {path.relative_to(ROOT / "conf").as_posix() for path in (ROOT / "conf").rglob("*.yaml")}
    assert {name.removeprefix("lrface/_conf/") for name in names if name.startswith("lrface/_conf/")} == configs
    assert all(name.startswith(("lrface/", "lrface-")) for name in names)
    weights = "lrface/models/weights/drawn"
    assert {f"{weights}/{name}" for name in ("model.safetensors", "config.json", "README.md")} <= names
    composed = (
        "from lrface.config import SCHEMAS; from lrface.cli.parameters.compose import config_folder, settings_for; "
        "from lrface.cli.parameters.entry_points import COMMON; "
        "print(config_folder(), settings_for('train_dsr', SCHEMAS['train_dsr'], {'preset': 'smoke'}, COMMON).dsr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", composed],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "unpacked")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "unpacked" / "lrface" / "_conf"), "edge"]


def test_a_test_that_kills_its_process_ends_the_run_and_is_named(tmp_path):
    """By itself xdist waits for ever afterwards, where files of one test are the last."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    for number in range(12):
        body = "import os; os._exit(3)" if number == 4 else "pass"
        (tmp_path / "tests" / f"test_{number:02d}.py").write_text(f"def test():\n    {body}\n")
    words = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile"]
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ended = subprocess.run(words, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 1, ended.stdout
    assert "crashed while running 'tests/test_04.py::test'" in ended.stdout
