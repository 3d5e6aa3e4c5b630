"""Upload of what a run could not deliver: ``python -m lrface.tracking.upload [SPOOL ...]``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from lrface.errors import LrfaceError, RegistryError
from lrface.tracking.runs.delivery import deliver
from lrface.tracking.runs.spool import EMBEDDED, Spool
from lrface.tracking.store.failures import refusal
from lrface.tracking.store.locations import database_of, sqlite_uri
from lrface.tracking.store.quiet import quieten
from lrface.tracking.store.store import without_credentials


def pending_spools(root: Path) -> list[Path]:
    """Return the spools of the project at ``root`` that still hold something, oldest first."""
    folders = (path.parent for path in (root / "mlruns" / "spool").glob("*/target.json"))
    return sorted(folders, key=lambda folder: (folder / "target.json").stat().st_mtime)


def replay_spool(folder: Path, uri: str | None = None) -> None:
    """Deliver a spool in order, from where the last delivery stopped, and remove it.

    Args:
        folder: The spool.
        uri: The tracking URI. None: the one that the run was started with; it is kept without credentials, so
            ``MLFLOW_TRACKING_URI`` is used instead where it is the same but for these.

    Raises:
        RegistryError: There is no spool, another process holds it, the store does not have its run, or does
            not take it.
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
        client = MlflowClient(tracking_uri=uri or _uri_of(spool))
        # A store without this run would refuse every record for good.
        client.get_run(spool.target["run_id"])
        deliver(client, spool)
    except Exception as error:
        spool.close()
        raise refusal(
            f"upload of {folder}",
            error,
            expected="the tracking store that has its run",
            remedy="call again when the server is up, with MLFLOW_TRACKING_URI set to it",
        ) from error
    spool.remove()


def _uri_of(spool: Spool) -> str:
    recorded = spool.target["uri"]
    if recorded == EMBEDDED:
        return sqlite_uri(database_of(spool.folder.resolve().parents[2]))
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    return given if without_credentials(given).rstrip("/") == recorded.rstrip("/") else recorded


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
