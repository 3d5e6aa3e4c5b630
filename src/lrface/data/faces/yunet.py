"""The file of YuNet's weights: where it is, whether it is the right one, and how it is fetched."""

import hashlib
import os
import urllib.request
from pathlib import Path
from urllib.error import URLError

from lrface.data.settings import DetectorSettings
from lrface.errors import ConfigError, DataError

YUNET_URL = (
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
)
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
DOWNLOAD = "download"
_DOWNLOAD_SECONDS = 60
_DOWNLOAD_LIMIT = 16 << 20


def read_weights(settings: DetectorSettings) -> bytes:
    """Reads the detector's weights and checks their hash.

    Raises:
        ConfigError: No path is set.
        DataError: The file is missing or not the expected one.
    """
    if not settings.weights:
        raise ConfigError(
            "face detector",
            got="no weights",
            expected="the path of face_detection_yunet_2023mar.onnx",
            remedy=f"set detector.weights to it, or to {DOWNLOAD} where there is a network; or set align=none",
        )
    path = download_yunet(yunet_cache()) if settings.weights == DOWNLOAD else Path(settings.weights)
    if not path.is_file():
        raise DataError(
            f"face detector {path}",
            got="no such file",
            expected="face_detection_yunet_2023mar.onnx",
            remedy=f"take it from {YUNET_URL}, or set detector.weights={DOWNLOAD} where there is a network",
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if settings.sha256 and found != settings.sha256:
        raise DataError(
            f"face detector {path}",
            got=f"sha256 {found[:12]}",
            expected=f"sha256 {settings.sha256[:12]}",
            remedy="take the file again, or correct detector.sha256",
        )
    return content


def yunet_cache() -> Path:
    """Where downloaded weights are kept: `lrface/` in XDG_CACHE_HOME, or else in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "lrface" / YUNET_URL.rpartition("/")[2]


def download_yunet(target: Path, url: str = YUNET_URL, sha256: str = YUNET_SHA256) -> Path:
    """Takes the released weights from their address, checked against a pinned hash.

    Args:
        target: Where to keep them; a file with the right hash is not taken again.
        url: The address.
        sha256: What they must hash to.

    Returns:
        The target.

    Raises:
        DataError: There is no network, or something else was sent. Nothing is kept then.
    """
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
        return target
    remedy = f"take {url} by hand, put it at {target} and set detector.weights to it"
    if not url.startswith(("https://", "http://")):
        raise ConfigError("face detector", got=url, expected="an http(s) address", remedy=remedy)
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310 - scheme checked above
            content = answer.read(_DOWNLOAD_LIMIT)
    except (URLError, OSError) as error:
        raise DataError("face detector", got=f"no answer ({error})", expected=url, remedy=remedy) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError("face detector", got=f"sha256 {found[:12]}", expected=f"sha256 {sha256[:12]}", remedy=remedy)
    partial = target.with_suffix(target.suffix + ".partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    partial.replace(target)
    return target
