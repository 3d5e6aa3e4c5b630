"""`app`: a page to try a pair, on this machine, until it is interrupted."""

import os
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from lrface.cli.context import Context
from lrface.config import AppSettings
from lrface.data.faces.aligner import Aligner
from lrface.data.faces.crowd import Crowd
from lrface.data.settings import AlignSettings
from lrface.errors import ConfigError
from lrface.evaluation.protocol.arms import bicubic
from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.jobs.gallery import open_gallery
from lrface.jobs.shared.networks import NONE, load_one_pair, working_pair
from lrface.jobs.shared.operating_points import points_of_pair
from lrface.naming.namer import NO_POINTS
from lrface.page.trial import Trial
from lrface.page.view import LOCAL, About, launch
from lrface.tracking.registry.licences import terms_of
from lrface.tracking.runs.run import Run

USER, PASSWORD = "LRFACE_APP_USER", "LRFACE_APP_PASSWORD"


def run(settings: AppSettings, context: Context, parent: Run | None = None) -> None:  # noqa: ARG001
    """Serve the page.

    Raises:
        ConfigError: The extra `app` is not installed, or others could reach the page without a login.
        RegistryError: There is no such pair.
        WeightsError: It does not load.
    """
    if find_spec("gradio") is None:
        raise ConfigError(
            "page", got="no package gradio", expected="the extra `app`", remedy="pip install 'lrface[app]'"
        )
    login = _login(settings.host)
    _check_port(settings.host, settings.port)
    recogniser, resolver = load_one_pair(settings, context)
    gallery = open_gallery(settings.gallery, context)
    align = AlignSettings(detector=settings.detector, on_no_face="raise")
    crowd = Crowd(settings.detector, settings.crowd) if settings.detector.weights else None
    points = points_of_pair(settings, recogniser, resolver, context)
    trial = Trial(
        working_pair(recogniser, resolver, context),
        bicubic,
        gallery,
        Aligner(align),
        points,
        crowd,
        estimate_side=settings.estimate_side,
    )
    with tempfile.TemporaryDirectory() as scratch:
        example = Path(scratch) / "drawn.png"
        Image.fromarray(np.asarray(render(draw_identity(0, 3), draw_nuisance(0, 3, 0, 0.3)))).save(example)
        about = About(
            heading=f"lrface: {_words(settings, recogniser.origin, resolver.origin if resolver else NONE)}",
            lines=(
                f"licence: {recogniser.licence} ({terms_of(recogniser.licence)})",
                "a super-resolved face is what the network takes for likely, and no photograph",
                *(points.lines() if points else (NO_POINTS,)),
            ),
            asked=settings.asked,
            example=example,
        )
        context.terminal.result(f"gallery: {gallery.place}")
        context.terminal.result(f"the page is at http://{settings.host}:{settings.port}; Ctrl-C ends it")
        launch(trial, about, host=settings.host, port=settings.port, login=login)


def _words(settings: AppSettings, recogniser: str, resolver: str) -> str:
    """The pair by its version or folder where it is one, else by its halves."""
    if settings.edgeface is None:
        return recogniser if recogniser == resolver else Path(settings.pair).name
    return f"{recogniser} behind {'bicubic' if resolver == NONE else resolver}"


def _check_port(host: str, port: int) -> None:
    """Ask for the port before anything is loaded; only the page itself takes it."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return
    except OSError as error:
        raise ConfigError(
            f"page at {host}:{port}",
            got=error.strerror or str(error),
            expected="an address of this machine and a port that is free",
            remedy="end what uses it, or set port to another",
        ) from error


def _login(host: str) -> tuple[str, str] | None:
    user, password = os.environ.get(USER), os.environ.get(PASSWORD)
    if user and password:
        return user, password
    if host not in LOCAL:
        raise ConfigError(
            "page",
            got=f"host {host}, which others can reach, and no login",
            expected=f"{USER} and {PASSWORD} in the environment",
            remedy="set them, or leave host at 127.0.0.1",
        )
    return None
