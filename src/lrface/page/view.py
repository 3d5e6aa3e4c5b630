"""The page itself, in Gradio: served from this machine whole, with nothing fetched from elsewhere."""

import html
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lrface.errors import LrfaceError
from lrface.images.sizes import VLR_MAX, VLR_MIN
from lrface.naming.asked import AUTO, DEFAULT_FPIR, FIXED, Asked
from lrface.page.trial import MOST_BYTES, MOST_PIXELS, Trial, rows_of

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SIDE: Final = 224
_KEPT_SECONDS: Final = 300
_ERROR_SECONDS: Final = 15
_BY: Final = {
    "rate of named strangers (FPIR)": "fpir",
    "rate of one-to-one comparisons (FMR)": "fmr",
    "threshold": "fixed",
}
_HEADERS: Final = ["way", "name", "score", "margin", "side", "threshold", "rate"]
_FONTS: Final = ["system-ui", "sans-serif"]


@dataclass(frozen=True)
class About:
    """What the page says about the pair on it.

    Attributes:
        heading: Which pair it is.
        lines: Licence, gallery, limits: a line each.
        asked: The threshold or the rate by which a face is named, at the start.
        example: A picture to begin with.
    """

    heading: str
    lines: Sequence[str]
    asked: Asked
    example: Path


def launch(trial: Trial, about: About, *, host: str, port: int, login: tuple[str, str] | None) -> None:
    """Serve the page until it is interrupted.

    Uploads lie in a folder of their own, are deleted after five minutes, and with the folder at the end.

    Args:
        trial: What it computes.
        about: What it says.
        host: Address to listen on.
        port: Port to listen on.
        login: User and password, or None.
    """
    # Read by Gradio when it is imported or when it handles the first upload.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Gradio opens what is uploaded before this package does: Pillow refuses at twice this many pixels.
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
    with tempfile.TemporaryDirectory(prefix="lrface-page-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        page = build(trial, about)
        page.launch(
            prevent_thread_lock=True,
            server_name=host,
            server_port=port,
            auth=login,
            max_file_size=MOST_BYTES,
            share=False,
            ssr_mode=False,
            show_error=False,
            quiet=True,
            footer_links=[],
            **_style(),
        )
        # In place of Gradio's own waiting, which has something to say in the end.
        with suppress(KeyboardInterrupt):
            while page.is_running:
                time.sleep(0.1)
        page.close(verbose=False)


def build(trial: Trial, about: About) -> Any:  # noqa: ANN401 - Gradio is untyped here
    """Make the page; nothing is served yet."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False, title="lrface", delete_cache=(60, _KEPT_SECONDS)) as page:
        gr.Markdown(f"# {_literal(about.heading)}\n\n" + "\n".join(f"- {_literal(line)}" for line in about.lines))
        with gr.Tab("Try"):
            _try_tab(gr, trial, about)
        with gr.Tab("Photograph"):
            _photograph_tab(gr, trial, about)
        with gr.Tab("Enrol"):
            _enrol_tab(gr, trial)
        with gr.Tab("People"):
            _people_tab(gr, trial)
    return page


def _try_tab(gr: Any, trial: Trial, about: About) -> None:  # noqa: ANN401
    with gr.Row():
        with gr.Column(scale=2):
            picture = _picture(gr, str(about.example))
            side = gr.Slider(VLR_MIN, VLR_MAX, 16, step=1, label="Side of the small face, pixels")
            by, rate, threshold = _controls(gr, about)
            go = gr.Button("Show", variant="primary")
        with gr.Column(scale=3):
            with gr.Row():
                views = [
                    gr.Image(label=label, interactive=False, format="png", width=_SIDE, height=_SIDE, buttons=[])
                    for label in ("VLR", "bicubic", "SR")
                ]
            table = gr.Dataframe(headers=_HEADERS, interactive=False, label="Match")
            note = gr.Markdown()

    def show(path: str | None, side: float, by: str, rate: float | None, threshold: float) -> list[object]:
        if path is None:
            raise gr.Error("give a picture first", duration=_ERROR_SECONDS, print_exception=False)
        found = trial.show(Path(path), round(side), _asked(by, rate, threshold))
        margin = "margin: how far the second is behind; rate: of false alarms, at that threshold"
        words = (
            f"{found.note}; {margin}" if found.matches else f"{found.note}; nobody is enrolled yet, so nobody is named"
        )
        pictures = [_large(image) for image in (found.vlr, found.bicubic, found.sr)]
        return [*pictures, rows_of(found.matches), words]

    go.click(_told(gr, show), [picture, side, by, rate, threshold], [*views, table, note], api_visibility="private")


def _controls(gr: Any, about: About) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """What a face is named by: of which kind, the rate, the threshold."""
    by = gr.Radio(list(_BY), value=_by(about.asked), label="Named by")
    rate = gr.Number(about.asked.rate or DEFAULT_FPIR, label="Rate of false alarms", minimum=0, maximum=1)
    fixed = about.asked.threshold if about.asked.threshold != AUTO else FIXED
    return by, rate, gr.Slider(-1, 1, fixed, step=0.01, label="Threshold, cosine, where named by it")


def _photograph_tab(gr: Any, trial: Trial, about: About) -> None:  # noqa: ANN401
    gr.Markdown("Every face of a photograph, also those of 10 to 30 pixels: found, restored and named.")
    with gr.Row():
        with gr.Column(scale=2):
            picture = _picture(gr, None)
            by, rate, threshold = _controls(gr, about)
            go = gr.Button("Name everybody", variant="primary")
        with gr.Column(scale=3):
            view = gr.Image(label="Faces", interactive=False, format="png", buttons=[])
            table = gr.Dataframe(headers=["face", *_HEADERS[1:]], interactive=False, label="Faces")
            note = gr.Markdown()

    def named(path: str | None, by: str, rate: float | None, threshold: float) -> list[object]:
        if path is None:
            raise gr.Error("give a picture first", duration=_ERROR_SECONDS, print_exception=False)
        found = trial.photograph(Path(path), _asked(by, rate, threshold))
        return [found.picture, found.rows, found.note]

    go.click(_told(gr, named), [picture, by, rate, threshold], [view, table, note], api_visibility="private")


def _by(asked: Asked) -> str:
    return next(words for words, kind in _BY.items() if kind == asked.kind)


def _asked(by: str, rate: float | None, threshold: float) -> Asked:
    """What the controls say."""
    kind = _BY.get(by)
    if kind == "fixed":
        return Asked(float(threshold))
    return Asked(fmr=rate) if kind == "fmr" else Asked(fpir=rate if rate != DEFAULT_FPIR else None)


def _enrol_tab(gr: Any, trial: Trial) -> None:  # noqa: ANN401
    gr.Markdown("Enrol people who have agreed to it. Kept is one template per person, and no picture.")
    with gr.Row():
        picture = _picture(gr, None)
        files = gr.File(label="or several files", file_count="multiple", file_types=["image"], type="filepath")
    name = gr.Textbox(label="Name", max_length=100)
    agreed = gr.Checkbox(label="This person has agreed to be enrolled")
    go = gr.Button("Enrol", variant="primary")
    # A name is shown as text: as Markdown it could bring links and pictures from elsewhere.
    said = gr.Textbox(label="Enrolled", interactive=False)

    def enrol(path: str | None, several: list[str] | None, name: str, agreed: bool) -> str:
        if not agreed:
            raise gr.Error("nobody is enrolled without having agreed", duration=_ERROR_SECONDS, print_exception=False)
        paths = [Path(item) for item in [path, *(several or [])] if item]
        done = trial.enrol(paths, name)
        again = f" ({done.again} of those given were there already, and count once)" if done.again else ""
        return f"{name}: {done.images} pictures now{again}"

    go.click(_told(gr, enrol), [picture, files, name, agreed], said, api_visibility="private")


def _people_tab(gr: Any, trial: Trial) -> None:  # noqa: ANN401
    headers = ["key", "name", "pictures", "enrolled"]
    table = gr.Dataframe(headers=headers, interactive=False, label="Enrolled")
    refresh = gr.Button("Show")
    key = gr.Textbox(label="Key of the person to remove", max_length=16)
    remove = gr.Button("Remove for good", variant="stop")

    def people() -> list[list[str]]:
        return [[item.key, item.name, str(item.images), item.added.date().isoformat()] for item in trial.people()]

    def removed(key: str) -> list[list[str]]:
        trial.remove(key.strip())
        return people()

    refresh.click(_told(gr, people), None, table, api_visibility="private")
    remove.click(_told(gr, removed), key, table, api_visibility="private")


def _picture(gr: Any, value: str | None) -> Any:  # noqa: ANN401
    picture = gr.Image(
        value, type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], label="Picture", height=280
    )
    # Handed over as it came: Gradio would open it first, and say no more than `Error` of one that it does not know. Not
    # by a class of its own, beside whose file Gradio would write another.
    picture.preprocess = lambda payload: payload.path if payload else None
    return picture


def _told(gr: Any, body: Callable[..., object]) -> Callable[..., object]:  # noqa: ANN401
    """Show what a user can mend as a message on the page."""

    def told(*values: object) -> object:
        try:
            return body(*values)
        except LrfaceError as error:
            # Gradio takes a message for HTML.
            raise gr.Error(
                html.escape(str(error), quote=False), duration=_ERROR_SECONDS, print_exception=False
            ) from error

    return told


def _literal(text: str) -> str:
    """Text that Markdown shows as it is; what a version's tags say was written by whoever may write to the registry."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&-])", r"\\\1", " ".join(text.split()))


def _large(image: UInt8[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "l l 3"]:
    """Enlarge for the eye by repeating pixels, so that the browser smooths nothing away."""
    return np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST))


def _style() -> dict[str, Any]:
    import gradio as gr

    theme = gr.themes.Default(font=_FONTS, font_mono=["ui-monospace", "monospace"])
    return {"theme": theme, "css": "footer {display: none !important}"}
