"""`info`: what a report of a fault needs: versions, device, threads, store, models and packs; nothing secret."""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lrface.base.cores import cores
from lrface.cli.parameters.arguments import Parser, log_named
from lrface.cli.process.importing import imported
from lrface.cli.terminal.terminal import Terminal, terminal_of
from lrface.errors import LrfaceError

PACKAGES = (
    *("lrface", "torch", "torchvision", "lightning", "kornia", "timm", "mlflow", "hydra-core", "pydantic", "numpy"),
    *("pandas", "opencv-python-headless", "onnxruntime", "gradio", "psycopg"),
)
ABSENT = "not installed"
_VARIABLES = ("LRFACE_", "MLFLOW_", "OMP_", "MKL_", "CUDA_", "TORCH_", "AWS_", "PYTHON")
_SHOWN = 20


def run(arguments: Sequence[str] | None = None) -> int:
    """Print the facts; nothing is made, and no value of an environment variable is told.

    Args:
        arguments: The command line; none: that of the process.

    Returns:
        The exit code: 0, or 1 where the command line is wrong. A store that does not answer is one of the facts.
    """
    words = sys.argv[1:] if arguments is None else arguments
    terminal = Terminal()
    try:
        terminal = terminal_of(log_named(words))
        _parser().parse_args(words)
        # only now: a wrong word need not wait for torch
        imported("lrface.tracking.store.store")
        facts = {**_software(), **_machine(), **_store(), **_packs()}
    except LrfaceError as error:
        terminal.error(error)
        return 1
    width = max(map(len, facts))
    terminal.report([f"{name:<{width}}  {_words(value)}" for name, value in facts.items()], facts)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="lrface info",
        description="`info`: what a report of a fault needs: versions, device, threads, store, models and packs; "
        "nothing secret.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--log", default="", metavar="VALUE", help="what is shown: plain, quiet or json, for an object (default plain)"
    )
    return parser


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _software() -> dict[str, object]:
    from lrface.base.project import project_root, source_tree
    from lrface.tracking.installed import LOCK, outside_ranges, unlike_lock
    from lrface.tracking.runs.lineage import UNKNOWN, git_commit, package_versions

    tree = source_tree()
    versions = package_versions(PACKAGES)
    return {
        "lrface": versions["lrface"],
        "commit": git_commit(project_root()),
        "python": versions["python"],
        "system": platform.platform(),
        "packages": {
            name: ABSENT if number == UNKNOWN else number
            for name, number in versions.items()
            if name not in {"python", "lrface"}
        },
        "outside_ranges": _differences(outside_ranges, tree, "pyproject.toml"),
        "unlike_lock": _differences(unlike_lock, tree, LOCK),
    }


def _differences(compared: Callable[[Path], dict[str, str] | None], tree: Path, name: str) -> object:
    try:
        found = compared(tree)
    except (ValueError, KeyError, OSError) as error:
        return f"not known ({name}: {_homeless(str(error))})"
    return f"not known (no {name} here)" if found is None else _few(found)


def _few(found: dict[str, str]) -> dict[str, str | int]:
    more = {"more": len(found) - _SHOWN} if len(found) > _SHOWN else {}
    return dict(list(found.items())[:_SHOWN]) | more


def _machine() -> dict[str, object]:
    import psutil  # type: ignore[import-untyped]
    import torch

    from lrface.models.device import has_fast_bf16

    gpus = [
        f"{torch.cuda.get_device_name(index)} ({torch.cuda.get_device_properties(index).total_memory / 2**30:.0f} GiB)"
        for index in range(torch.cuda.device_count())
    ]
    device = torch.device("cuda" if gpus else "cpu")
    return {
        "device": device.type,
        "gpus": gpus,
        "cuda": torch.version.cuda or "none",
        "bfloat16": "fast" if has_fast_bf16(device) else "not faster",
        "cores": os.cpu_count() or 1,
        "cores_usable": cores(),
        "threads": torch.get_num_threads(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "variables_set": sorted(name for name in os.environ if name.startswith(_VARIABLES)),
    }


def _store() -> dict[str, object]:
    """Where runs are tracked, and what is registered; a store that is not there is not made."""
    from lrface.base.project import project_root
    from lrface.tracking.store.locations import database_of
    from lrface.tracking.store.store import connect, without_credentials

    root = project_root()
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named is None and not database_of(root).is_file():
        return {"store": "none yet (mlruns/mlflow.db is made by the first job)", "models": {}}
    try:
        store = connect(root)
        models = {
            str(model.name): " ".join(f"@{alias}={number}" for alias, number in sorted(model.aliases.items()))
            or "without alias"
            for model in store.client.search_registered_models()
        }
        return {"store": _homeless(store.place), "models": models}
    except LrfaceError as error:
        told = str(error) if named is None else str(error).replace(named, without_credentials(named))
        return {"store": _homeless(told), "models": {}}


def _packs() -> dict[str, object]:
    from lrface.base.project import project_root
    from lrface.data.pack.pack import INFO_FILE, parse_info

    found = {}
    files = sorted((project_root() / "mlruns" / "packs").glob(f"*/{INFO_FILE}"))
    for path in files[:_SHOWN]:
        try:
            info = parse_info(path.read_bytes(), path.parent.name)
            found[path.parent.name] = f"({info.rows} faces of {info.subjects})"
        except (LrfaceError, OSError) as error:
            found[path.parent.name] = f"(broken: {_homeless(str(error))})"
    more = {"more": len(files) - _SHOWN} if len(files) > _SHOWN else {}
    return {"packs": found | more}


def _homeless(text: str) -> str:
    """A text without the path of the user's folder, which has a name in it."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
