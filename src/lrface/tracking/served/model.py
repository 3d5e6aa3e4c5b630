"""The served models: what MLflow's ``pyfunc`` loads from a model folder.

The weights are safetensors and the code is this package, so loading runs nothing from the artifact store. The
weights are held against the hash in their spec; ``versions.download`` also holds all files against the registry.
"""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_CONFLICT, TEMPORARILY_UNAVAILABLE
from torch import nn

from lrface.data.checks.fit import doubt
from lrface.data.faces.crowd import Crowd
from lrface.data.faces.fit import Fit
from lrface.data.measure import hash_pixels
from lrface.data.settings import CheckSettings
from lrface.errors import ConfigError, LrfaceError, RegistryError, WeightsError
from lrface.images.ranges import to_uint8
from lrface.images.reading.levels import light
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.onnx.folder import ONNX
from lrface.models.pair import Pair, read_half, read_pair, read_recogniser
from lrface.models.store import read_spec
from lrface.naming.asked import AUTO, Asked
from lrface.naming.gallery.gallery import Gallery
from lrface.naming.gallery.place import ENROL, LOCATION, gallery_at
from lrface.naming.namer import Named, Namer
from lrface.naming.operating_points import OperatingPoints, points_of
from lrface.naming.side import Sized, sized
from lrface.tracking.names import DSR, EDGEFACE
from lrface.tracking.served.guard import guard_server
from lrface.tracking.served.images import decode_images, encode_png
from lrface.tracking.served.photographs import DETECTOR, Sighted, served_crowd, sighted
from lrface.tracking.served.signatures import PAIR_PARAMS

_log = logging.getLogger(__name__)
MOST_TENSORS: Final = 1024
_CHECKS: Final = CheckSettings()


class ServedNetwork:
    """One network, tensors in and tensors out.

    Args:
        network: The network.
        sides: Smallest and largest side of its square input in pixels.
    """

    def __init__(self, network: nn.Module, sides: tuple[int, int]) -> None:
        self._network = network
        self._sides = sides

    def predict(
        self,
        data: Float[np.ndarray, "n 3 s s"],
        params: Mapping[str, object] | None = None,  # noqa: ARG002
    ) -> Float[np.ndarray, "n ..."]:
        """Run the network on float32 NCHW images in [0,1].

        Raises:
            MlflowException: The input is of another shape or range (a 400 over HTTP).
        """
        images = np.asarray(data)
        low, high = self._sides
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise _refused(f"got images of shape {images.shape}; expected n x 3 x s x s; send square RGB images")
        if not (1 <= images.shape[0] <= MOST_TENSORS and low <= images.shape[2] <= high):
            raise _refused(
                f"got {images.shape[0]} images of {images.shape[2]} pixels; expected 1 to {MOST_TENSORS} images "
                f"of {low} to {high} pixels; send others or fewer"
            )
        if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
            raise _refused("got values outside of [0,1]; expected RGB in [0,1]; divide 8-bit images by 255")
        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))))


class ServedPair:
    """A super-resolver and a recogniser: pictures in, embeddings and super-resolved pictures out; names on request.

    Which gallery is asked is decided where the server is started and never by a request: the environment
    variable ``LRFACE_GALLERY`` says where it is, and ``LRFACE_GALLERY_ENROL=true`` lets requests enrol.

    Args:
        pair: Both networks.
        gallery: Where names are, or None.
        points: The pair's operating points; None where the version has none.
        crowd: Finds the faces of photographs, or None.
        enrols: Whether requests may enrol.
    """

    def __init__(
        self,
        pair: Pair,
        gallery: Gallery | None = None,
        points: OperatingPoints | None = None,
        crowd: Crowd | None = None,
        *,
        enrols: bool = False,
    ) -> None:
        self._pair = pair
        self._gallery = gallery
        self._namer = Namer(pair, gallery, points) if gallery is not None else None
        self._crowd = crowd
        self._enrols = enrols

    def predict(self, data: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Embed and super-resolve the pictures in the column ``image``; name or enrol them.

        Args:
            data: A row per picture: base64 of any that ``images.reading`` reads (also as a ``data:`` URL), or the
                file's bytes. Rows with the same text in the column ``track`` show one unknown person and get one name.
            params: ``identify``: also say who is shown; ``fpir`` or ``fmr``: at which rate of false alarms, as the
                version's operating points tell it for the size of each face (without either FPIR 0.01);
                ``threshold``: a cosine from which a face is named, in their place; ``estimate_side``: bring faces that
                were enlarged before they came back to their size; ``enrol``: put the pictures into the gallery, as
                those of the one person ``name``; ``detect``: the pictures are photographs, and every face of them is
                meant.

        Returns:
            ``embedding`` (of unit length; EdgeFace's has 512 floats) and ``sr`` (base64 PNG, 112 x 112), a row per
            picture. With ``identify`` also ``name`` ("unknown" below the threshold), ``score`` (cosine to the best
            template), ``margin`` (how far the second is behind), ``side`` (how large the face really is, pixels),
            ``came_as`` (how large the picture was), ``weight`` (the share in its track), ``threshold``, ``rate`` (the
            share of strangers, or with ``fmr`` of comparisons, that it names; absent where nobody knows); with
            ``enrol`` also ``enrolled``, how many pictures the person's template is made of now, and ``again``, how
            many of the request's were there already. Where a picture is nearly black, nearly white, of one level, or a
            photograph by its size, or where something is to be known of the threshold, ``note`` says so.
            With ``detect`` a row per face, those of one photograph together and the largest first, with ``picture``
            (the number of its row, from 0), ``left``, ``top``, ``width`` and ``height`` (pixels); no row where there is
            no face.

        Raises:
            MlflowException: The request cannot be used (over HTTP a 400), the gallery is of another recogniser
                (409), or it does not answer (503).
        """
        asked = _asked(params)
        if not isinstance(data, pd.DataFrame) or "image" not in data.columns:
            raise _refused("got no column 'image'; expected a row per picture; send base64 pictures as 'image'")
        tracks = _tracks(data)
        if tracks is not None and asked.detect:
            raise _refused(
                "got tracks and detect; expected one of them; send faces with tracks, or photographs without"
            )
        if tracks is not None and not asked.identify:
            raise _refused("got tracks and nobody to name; expected them with identify; set it, or leave track out")
        try:
            seen = self._seen(list(data["image"])) if asked.detect else None
            sides = list[float]()
            if seen is None:
                pictures = decode_images(list(data["image"]), sides)
                doubts = [_doubt(picture, side) for picture, side in zip(pictures, sides, strict=True)]
            else:
                pictures, sides = [face.pixels for face in seen.faces], [face.side for face in seen.faces]
                doubts = [light(face) or "" for face in pictures] if asked.enrol else list(seen.notes)
                _check_alone(seen, len(data), asked)
            if not pictures:
                return pd.DataFrame()
            shown = sized(pictures, sides, estimate=asked.estimate_side)
            faces = self._pair.restore([face.pixels for face in shown])
            embeddings = self._pair.embed(faces)
            columns: dict[str, list[object]] = {
                **(seen.boxes() if seen else {}),
                "embedding": embeddings.tolist(),
                "sr": [encode_png(picture) for picture in to_uint8(faces)],
                **self._people(embeddings, pictures, shown, doubts, tracks, asked),
            }
            told = columns.pop("note", [""] * len(doubts))
            notes = [
                "; ".join(filter(None, (doubt, face.note, str(note))))
                for doubt, face, note in zip(doubts, shown, told, strict=True)
            ]
            columns |= {"note": list[object](notes)} if any(notes) else {}
        except RegistryError as error:
            _log.exception("the gallery does not answer")
            raise MlflowException(
                "the gallery does not answer; try again later", error_code=TEMPORARILY_UNAVAILABLE
            ) from error
        except WeightsError as error:
            raise MlflowException(self._without_place(error), error_code=RESOURCE_CONFLICT) from error
        except LrfaceError as error:
            raise _refused(self._without_place(error)) from error
        # Columns of objects: pandas would turn an absent score into NaN, which JSON does not know.
        answer = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
        return answer if seen else answer.set_axis(data.index)

    def _seen(self, texts: Sequence[object]) -> Sighted:
        if self._crowd is None:
            raise _refused(
                f"got a request to find faces; expected a server with a detector; set {DETECTOR} where it is started"
            )
        return sighted(texts, self._crowd)

    def _without_place(self, error: LrfaceError) -> str:
        """A message that does not tell a client where the gallery lies."""
        return str(error) if self._gallery is None else str(error).replace(f" {self._gallery.place}", "")

    def _people(
        self,
        embeddings: Float[np.ndarray, "n d"],
        pictures: Sequence[UInt8[np.ndarray, "s s 3"]],
        shown: Sequence[Sized],
        doubts: Sequence[str],
        tracks: Sequence[str] | None,
        asked: "Request",
    ) -> dict[str, list[object]]:
        if not asked.identify and not asked.enrol:
            return {}
        if self._gallery is None or self._namer is None:
            raise _refused(
                f"got a request for names; expected a server with a gallery; set {LOCATION} where it is started"
            )
        if asked.identify:
            named, weights = _named(self._namer, embeddings, [face.side for face in shown], tracks, asked.asked)
            wanted = ("name", "score", "margin", "side", "threshold", "rate", "note")
            return {
                **{column: [getattr(item, column) for item in named] for column in wanted},
                "came_as": [face.came_as for face in shown],
                **({} if tracks is None else {"weight": list[object](weights)}),
            }
        if not self._enrols:
            raise _refused(
                f"got a request to enrol; expected a server that lets requests enrol; set {ENROL}=true where it is "
                "started"
            )
        for index, words in enumerate(doubts):
            if words:
                raise _refused(
                    f"image {index}: got one that is {words}; expected an aligned face, at most "
                    f"{_CHECKS.photograph_side} pixels a side; cut the face out and align it, or leave it out"
                )
        known = {asked.name: [hash_pixels(picture) for picture in pictures]}
        (done,) = self._gallery.enrol({asked.name: embeddings}, self._pair.weights, known).values()
        return {"enrolled": [done.images] * len(pictures), "again": [done.again] * len(pictures)}


@dataclass(frozen=True)
class Request:
    """What a request wants besides embeddings."""

    identify: bool
    enrol: bool
    detect: bool
    name: str
    asked: Asked
    estimate_side: bool


def _tracks(data: pd.DataFrame) -> list[str] | None:
    """The track of each row, those without one each by itself; None where the request knows no tracks."""
    if "track" not in data.columns:
        return None
    given = [None if isinstance(value, float) and math.isnan(value) else value for value in data["track"]]
    # an empty cell is no track: all of them together would be one person
    given = [None if isinstance(value, str) and not value.strip() else value for value in given]
    if any(value is not None and not isinstance(value, str) for value in given):
        raise _refused("got tracks that are no text; expected the same text in all rows of one person; correct them")
    if all(value is None for value in given):
        return None
    # A row without a track is one of its own: no text that somebody sends begins with a line break.
    return [f"\n{row}" if value is None else value.strip() for row, value in enumerate(given)]


def _named(
    namer: Namer,
    embeddings: Float[np.ndarray, "n d"],
    sides: Sequence[float],
    tracks: Sequence[str] | None,
    asked: Asked,
) -> tuple[list[Named], list[float]]:
    """Whom each row shows, and its share in its track."""
    if tracks is None:
        return namer.name_embedded(embeddings, sides, asked), [1.0] * len(sides)
    found: dict[int, tuple[Named, float]] = {}
    for track, named in namer.name_tracks(embeddings, sides, tracks, asked):
        odd = set(track.odd)
        for row, weight in zip(track.rows, track.weights.tolist(), strict=True):
            note = "; ".join(filter(None, (named.note, "not like the others of its track" if row in odd else "")))
            found[row] = replace(named, note=note), weight
    return [found[row][0] for row in range(len(sides))], [found[row][1] for row in range(len(sides))]


def _asked(params: Mapping[str, object] | None) -> Request:
    given = {**PAIR_PARAMS, **(params or {})}
    identify, enrol, detect = (given[key] for key in ("identify", "enrol", "detect"))
    name, threshold = given["name"], given["threshold"]
    threshold = AUTO if threshold is None else threshold
    if not all(isinstance(flag, bool) for flag in (identify, enrol, detect)) or not isinstance(name, str):
        raise _refused(
            "got params of other types; expected identify, enrol and detect true or false, name text; correct them"
        )
    if threshold != AUTO and (not isinstance(threshold, int | float) or not -1 <= threshold <= 1):
        raise _refused(f"got threshold {threshold!r}; expected a cosine in [-1, 1]; correct it, or leave it out")
    rates = {}
    for key in ("fpir", "fmr"):
        rate = given[key]
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1):
            raise _refused(f"got {key} {rate!r}; expected a rate above 0 and up to 1; correct it, or leave it out")
        rates[key] = None if rate is None else float(rate)
    try:
        asked = Asked(AUTO if threshold == AUTO else float(threshold), **rates)
    except ConfigError as error:
        raise _refused(str(error)) from error
    if identify and enrol:
        raise _refused("got identify and enrol at once; expected one of them; send two requests")
    if enrol != bool(name):
        raise _refused("got enrol without name, or name without enrol; expected both or neither; correct params")
    if not isinstance(given["estimate_side"], bool):
        raise _refused("got estimate_side that is neither true nor false; expected one of them; correct it")
    return Request(bool(identify), bool(enrol), bool(detect), name, asked, given["estimate_side"])


def _check_alone(seen: Sighted, photographs: int, asked: Request) -> None:
    """Refuse to enrol from photographs that do not show one face each."""
    if asked.enrol and sorted(seen.pictures) != list(range(photographs)):
        wrong = next(index for index in range(photographs) if seen.pictures.count(index) != 1)
        raise _refused(
            f"image {wrong}: got {seen.pictures.count(wrong)} faces; expected one person alone, since it is to be "
            "enrolled; crop it, or leave it out"
        )


def load(path: str) -> ServedNetwork | ServedPair:
    """Load what ``path`` holds: a model folder, or two of them.

    Raises:
        WeightsError: Weights that are missing, or not those of their spec; operating points of another pair.
        ConfigError: ``LRFACE_GALLERY`` or ``LRFACE_GALLERY_ENROL`` cannot be used.
        DataError: The weights that ``LRFACE_DETECTOR`` names are missing, or no YuNet.
    """
    folder = Path(path)
    if (folder / EDGEFACE).is_dir() and (folder / DSR).is_dir():
        guard_server()
        location = os.environ.get(LOCATION)
        pair, gallery = read_pair(folder), gallery_at(location) if location else None
        return ServedPair(pair, gallery, points_of(folder, pair.weights), served_crowd(), enrols=_enrols())
    if read_spec(folder).kind in {EDGEFACE, ONNX}:
        return ServedNetwork(read_recogniser(folder)[0], (FACE_SIZE, FACE_SIZE))
    return ServedNetwork(read_half(folder, DSR)[0], (VLR_MIN, VLR_MAX))


def _enrols() -> bool:
    text = os.environ.get(ENROL, "false")
    if text not in {"true", "false"}:
        raise ConfigError(ENROL, got=repr(text), expected="true or false", remedy="correct the environment variable")
    return text == "true"


def _doubt(picture: UInt8[np.ndarray, "s s 3"], side: float) -> str:
    """Says in words why a picture that came with that side may show no aligned face; empty where nothing does."""
    return light(picture) or doubt(Fit("middle", side=side), round(side), round(side), _CHECKS)


def _refused(message: str) -> MlflowException:
    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)
