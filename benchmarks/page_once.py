"""The entry point `app` without a browser: all up to the page, then one picture named as a visitor's would be.

    python benchmarks/page_once.py --pair models:/lrface@challenger --device cuda

Its last line says what came out, for `gpu_check.py` to compare. Gradio, which uses no device, is not needed.
"""

import json
import sys
from unittest import mock

from lrface.cli.command import command
from lrface.jobs import app
from lrface.page.trial import Trial
from lrface.page.view import About

SIDE = 16


def show(trial: Trial, about: About, **_options: object) -> None:
    trial.enrol([about.example], "drawn")
    shown = trial.show(about.example, SIDE, about.asked)
    figures = {f"similarity_{way}": match.score for way, match in shown.matches.items()}
    print(json.dumps({**figures, "share_sr": float(shown.sr.mean()) / 255}), flush=True)


if __name__ == "__main__":
    with mock.patch.object(app, "launch", show), mock.patch.object(app, "find_spec", return_value=object()):
        sys.exit(command("app"))
