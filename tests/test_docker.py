"""The images and the compose file, without an engine: what they name is there, and what shall not be in them is not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lrface.tracking.settings import TrackingSettings

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ROOT / "docker" / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
ENTRIES = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", flags=re.MULTILINE)


def _sources(line):
    words = [word for word in line.split()[1:] if not word.startswith("--")]
    return [] if "--from" in line else words[:-1]


def test_the_images_copy_what_there_is_and_run_as_somebody():
    lines = DOCKERFILE.splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in _sources(line)}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert not any("PIP_" in line or "index" in line for line in lines)


@pytest.mark.parametrize("target", ["server", "job"])
def test_an_image_has_a_user_who_is_not_root_and_only_locked_packages(target):
    stage = DOCKERFILE.partition(f"AS {target}\n")[2].partition("\nFROM ")[0]
    environment = DOCKERFILE.partition(f"AS {target}-environment\n")[2].partition("\nFROM ")[0]

    assert stage.index("USER lrface") < stage.index("ENTRYPOINT")
    assert "RUN" not in stage
    assert f"--require-hashes --requirement /build/{target}.lock" in environment
    assert "pip check" in environment
    assert environment.count("pip install") == environment.count("--require-hashes") + environment.count("--no-deps")


@pytest.mark.parametrize("target", ["server", "job"])
def test_an_images_lock_is_a_part_of_the_tested_one(target):
    tested = dict(PIN.findall((ROOT / "requirements.lock").read_text()))
    lock = (ROOT / "docker" / f"{target}.lock").read_text()
    locked = dict(PIN.findall(lock))

    assert locked
    assert locked.items() <= tested.items()
    assert all("--hash=sha256:" in entry for entry in re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:])
    assert "pytest" not in locked
    assert ("torch" in locked) == (target == "job")


def test_the_compose_file_holds_to_the_schema_of_compose():
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_every_part_of_the_stack_is_there():
    assert set(SERVICES) == {"postgres", "store", "mlflow", "train", "serve", "page"}
    for name in OURS:
        build = SERVICES[name]["build"]
        assert (COMPOSE.parent / build["context"] / build["dockerfile"]).is_file()
        assert f"AS {build['target']}\n" in DOCKERFILE


def test_what_is_read_from_the_environment_stands_in_the_example():
    asked = set(re.findall(r"\$\{(\w+):\?\}", COMPOSE.read_text()))
    example = dict(
        line.split("=") for line in (ROOT / "docker" / "example.env").read_text().splitlines() if line[:1].isalpha()
    )

    assert set(example) == asked
    assert set(example.values()) == {""}
    assert "/docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_gets_its_credentials_from_the_environment(name):
    service = SERVICES[name]

    for key, value in service.get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET", key):
            assert re.fullmatch(r"\$\{\w+:\?\}", value), key
    assert "PASSWORD" not in str(service.get("command"))
    assert "@" not in str(service.get("command")).replace("lrface@champion", "")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_is_open_to_other_machines(name):
    service = SERVICES[name]

    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "privileged" not in service
    assert service.get("network_mode") is None
    if name in OURS:
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    if name in {"postgres", "store"}:
        assert service["networks"] == ["inner"]


@pytest.mark.parametrize("name", sorted({*SERVICES} - {"train"}))
def test_what_serves_says_whether_it_does(name):
    words = SERVICES[name]["healthcheck"]["test"]

    assert words[0] == "CMD"
    if words[1] == "python":
        compile(words[3], name, "exec")
        own = {port.rpartition(":")[2] for port in SERVICES[name].get("ports", [])} or {"8000"}
        assert any(port in words[3] for port in own)


def test_the_tracking_server_checks_hosts_and_asks_for_a_login():
    words = SERVICES["mlflow"]["command"]
    (hosts,) = (word.partition("=")[2].split(",") for word in words if word.startswith("--allowed-hosts"))

    assert "--app-name=basic-auth" in words
    assert SERVICES["train"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://") in hosts
    assert not any("*" in host for host in hosts)
    assert "default_permission = NO_PERMISSIONS" in (ROOT / "docker" / "auth.ini").read_text()


def test_jobs_are_called_with_parameters_that_exist():
    words = SERVICES["train"]["command"]
    given = dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-P")
    page = SERVICES["page"]["command"]

    assert set(given) <= set(ENTRIES["main"]["parameters"])
    assert {word.removeprefix("--") for word in page if word.startswith("--")} <= set(ENTRIES["app"]["parameters"])
    assert SERVICES["page"]["entrypoint"][-2:] == ["lrface", "app"]


def test_a_server_is_waited_for_longer_than_a_file():
    settings = TrackingSettings(**yaml.safe_load((ROOT / "conf" / "tracking" / "server.yaml").read_text()))

    assert settings.drain_seconds > TrackingSettings().drain_seconds
    assert settings.uri == "http://localhost:5000"
