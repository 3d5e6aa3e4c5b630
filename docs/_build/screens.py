"""Takes the pictures of the documentation out of a running MLflow UI, with a headless Chromium.

    python docs/_build/screens.py --store mlruns/mlflow.db --out docs/pictures

The latest cycle of the store is shown: its note, its charts, its report (on a screen, on a telephone, as printed), and the
registered pair. `make ui` has to run; `--ui` says where.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000  # milliseconds of the page's own time
PHONE = 390  # pixels
SLACK = 1400  # seconds for one picture on a busy machine


def main() -> int:
    """Take all pictures; 1 where there is no browser or no cycle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--store", type=Path, default=Path("mlruns/mlflow.db"), help="the store's SQLite file")
    parser.add_argument("--ui", default="http://127.0.0.1:5000", help="where the UI runs")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="where the pictures go")
    given = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f"error: browser: got none; expected one of {', '.join(BROWSERS)}; install one\n")
        return 1
    client = mlflow.MlflowClient(f"sqlite:///{given.store.resolve()}")
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.mlflow.runName = 'cycle' and attributes.status = 'FINISHED'")
    if not runs:
        sys.stderr.write(f"error: {given.store}: got no finished cycle; expected one; run `make demo` first\n")
        return 1
    cycle = runs[0].info
    below = client.search_runs(experiments, f"tags.mlflow.parentRunId = '{cycle.run_id}'")
    by_name = {str(run.info.run_name): run.info for run in below}
    home = f"{given.ui}/#/experiments/{cycle.experiment_id}/runs"
    for name, page, height in (
        ("cycle_note", f"{home}/{cycle.run_id}", 900),
        ("cycle_charts", f"{home}/{cycle.run_id}/model-metrics", 900),
        ("loss_charts", f"{home}/{by_name['train_dsr cycle'].run_id}/model-metrics", 1100),
        ("report_in_mlflow", f"{home}/{by_name['promote'].run_id}/artifacts/evaluation/report.html", 1000),
        ("registry", f"{given.ui}/#/models/lrface", 900),
    ):
        _shot(browser, page, given.out / f"{name}.png", 1280, height)
    place = client.download_artifacts(by_name["promote"].run_id, "evaluation/report.html")
    _report(browser, Path(place).resolve(), given.out)
    return 0


def _report(browser: str, page: Path, out: Path) -> None:
    """The report alone: on a screen, on a telephone, as printed."""
    _shot(browser, page.as_uri(), out / "evaluation_report.png", 1280, 1350)
    with tempfile.TemporaryDirectory() as scratch:
        # a window of Chromium is never narrower than 500 pixels, a frame in it is
        frame = Path(scratch, "telephone.html")
        frame.write_text(
            f'<body style="margin:0;background:#ddd"><iframe src="{page.as_uri()}" '
            f'style="border:0;width:{PHONE}px;height:2700px;background:#fff"></iframe>'
        )
        _shot(browser, frame.as_uri(), out / "report_on_a_telephone.png", 500, 2700)
    _run(browser, "--no-pdf-header-footer", f"--print-to-pdf={out / 'report.pdf'}", page.as_uri())


def _shot(browser: str, page: str, to: Path, width: int, height: int) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    _run(browser, f"--window-size={width},{height}", f"--screenshot={to}", page)


def _run(browser: str, *words: str) -> None:
    common = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--virtual-time-budget={PATIENCE}")
    subprocess.run([browser, *common, *words], check=True, capture_output=True, timeout=SLACK)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
