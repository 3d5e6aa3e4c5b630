"""Upload of what a run could not deliver: ``python -m lrface.tracking.upload [SPOOL ...]``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from lrface.errors import LrfaceError, RegistryError
from lrface.tracking.delivery import deliver
from lrface.tracking.failures import refusal
from lrface.tracking.quiet import quieten
from lrface.tracking.spool import Spool


def pending_spools(root: Path) -> list[Path]:
    """Return the spools of the project at ``root`` that still hold something, oldest first."""
    folders = (path.parent for path in (root / "mlruns" / "spool").glob("*/target.json"))
    return sorted(folders, key=lambda folder: (folder / "target.json").stat().st_mtime)


def replay_spool(folder: Path, uri: str | None = None) -> None:
    """Deliver a spool in order, from where the last delivery stopped, and remove it.

    Args:
        folder: The spool.
        uri: The tracking URI; None: ``MLFLOW_TRACKING_URI``, else the one that the run was started with
            (which is kept without its credentials).

    Raises:
        RegistryError: There is no spool, another process holds it, or the store does not take it.
    """
    if not (folder / "target.json").exists():
        raise RegistryError(
            f"spool {folder}",
            got="no spool there",
            expected="a folder with target.json and records.jsonl",
            remedy="give a folder below mlruns/spool",
        )
    quieten()
    spool = Spool(folder)
    try:
        client = MlflowClient(tracking_uri=uri or os.environ.get("MLFLOW_TRACKING_URI") or spool.target["uri"])
        deliver(client, spool)
    except Exception as error:
        spool.close()
        raise refusal(
            f"upload of {folder}",
            error,
            expected="a tracking store that takes it",
            remedy="call again when the server is up",
        ) from error
    spool.remove()


def main(arguments: Sequence[str] | None = None) -> int:
    """Upload the given spools, or all that lie in ``mlruns/spool`` of the current folder."""
    parser = argparse.ArgumentParser(description="Upload what runs could not deliver to the tracking store.")
    parser.add_argument("spools", nargs="*", type=Path, help="folders below mlruns/spool; none: all of them")
    chosen = parser.parse_args(arguments).spools or pending_spools(Path.cwd())
    failed = 0
    for folder in chosen:
        try:
            replay_spool(folder)
        except LrfaceError as error:
            failed += 1
            sys.stderr.write(f"{error}\n")
        else:
            sys.stdout.write(f"{folder}: delivered\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
