"""The way in for a program: load a pair, and restore, embed, find and name faces with it; docs/python.md shows it."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8

from lrface.base.given_paths import given_path
from lrface.base.project import project_root
from lrface.data.faces.crowd import Crowd, Seen
from lrface.data.faces.yunet import DOWNLOAD, yunet_cache
from lrface.data.settings import CrowdSettings, DetectorSettings
from lrface.errors import ConfigError, DataError, RegistryError, WeightsError
from lrface.images.alignment import resize
from lrface.images.ranges import to_uint8
from lrface.images.reading.given import Picture, picture_of, several
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.device import pick_device
from lrface.models.pair import DSR, EDGEFACE, Pair, read_pair
from lrface.naming.asked import AUTO, Asked
from lrface.naming.gallery.gallery import Gallery
from lrface.naming.gallery.memory import MemoryGallery
from lrface.naming.gallery.place import gallery_at
from lrface.naming.namer import Namer
from lrface.naming.operating_points import OperatingPoints, points_of
from lrface.naming.photograph import NamedFace, name_faces, whole
from lrface.naming.side import ESTIMATES, sized

People = Gallery | str | PathLike[str] | Mapping[str, Picture | Sequence[Picture]]
"""Whom a face is compared with: a gallery, the place of one, or pictures by name."""

_LARGEST_FACE: Final = 300
_EXPECTED: Final = "models:/lrface@ALIAS, models:/lrface/NUMBER, runs:/ID, or a folder that holds edgeface/ and dsr/"


class LoadedPair:
    """A pair at work in a program. May be shared between threads that only read.

    Args:
        pair: Both networks.
        origin: Where they came from.
        points: Its operating points; None where it has none.
        licence: Of its weights.
        crowd: Finds the faces of photographs; None where there is no detector.
        estimate_side: Whether faces that were enlarged before they came are brought back to their size, as the jobs and
            the server do.
    """

    def __init__(
        self,
        pair: Pair,
        origin: str,
        points: OperatingPoints | None = None,
        licence: str = "unknown",
        crowd: Crowd | None = None,
        *,
        estimate_side: bool = ESTIMATES,
    ) -> None:
        self.origin = origin
        self.points = points
        self.licence = licence
        self._pair = pair
        self._crowd = crowd
        self._estimate_side = estimate_side

    @property
    def weights(self) -> str:
        """Sha256 of the recogniser's weights, which a gallery is bound to."""
        return self._pair.weights

    def restore(self, image: Picture) -> UInt8[np.ndarray, "112 112 3"]:
        """Brings a face to 112 x 112: one of 8 to 32 pixels by the super-resolver, a larger one by resampling.

        Args:
            image: An aligned, square face of 8 to 300 pixels.

        Returns:
            RGB.

        Raises:
            DataError: It is no such picture; `faces` finds the faces of a photograph.
        """
        (restored,) = to_uint8(self._pair.restore(self._shown([_face(image, "picture")])))
        return np.asarray(restored)

    def embed(self, images: Picture | Sequence[Picture]) -> Float[np.ndarray, "n d"]:
        """Embeds faces.

        Args:
            images: Aligned, square faces of 8 to 300 pixels, of any sizes; one alone gives one row.

        Returns:
            Float32 of unit length, a row per face, so that a product of two rows is their cosine. EdgeFace has 512
            columns.

        Raises:
            DataError: One is no such picture.
        """
        given = several(images)
        return self._embedded([_face(image, f"picture {index}") for index, image in enumerate(given)])

    def faces(self, image: Picture) -> list[Seen]:
        """Finds every face of a photograph, the largest first; the `pixels` of each are aligned and can be embedded.

        Args:
            image: Any picture of at most 64 megapixels.

        Raises:
            ConfigError: There is no detector.
            DataError: It is no picture.
        """
        return list(self._detector().find(picture_of(image)).faces)

    def identify(
        self,
        image: Picture,
        gallery: People,
        *,
        fpir: float | None = None,
        fmr: float | None = None,
        threshold: float | Literal["auto"] = AUTO,
        detect: bool | None = None,
    ) -> list[NamedFace]:
        """Says who is in a picture.

        Args:
            image: A photograph, or a face.
            gallery: Where the people are: the path of a ``.parquet`` file, a ``postgresql://`` URI, what `enrolled`
                gave, or pictures by name (embedded anew at each call).
            fpir: Share of searches of strangers that may end in a name. Nothing given: 0.01 where the pair has
                operating points, else a cosine of 0.35.
            fmr: Share of comparisons of two people that may pass for one.
            threshold: Cosine from which a face is named, in the place of a rate.
            detect: Whether faces are looked for. None: not in a square picture of 8 to 32 or of 112 pixels, which is
                taken for a face.

        Returns:
            A face each, the largest first, with its box, size, name, score, threshold and rate; empty where there is
            no face.

        Raises:
            ConfigError: There is no detector, or the rate cannot be told.
            DataError: The picture cannot be used, or there is no gallery.
            WeightsError: The gallery is of another recogniser.
        """
        asked = Asked(threshold, fpir, fmr)
        pixels = picture_of(image)
        namer = Namer(self._pair, self._people(gallery), self.points, estimate_side=self._estimate_side)
        looks = not _is_face(pixels) if detect is None else detect
        found = self._detector().find(pixels).faces if looks else [whole(_face(pixels, "picture"), pixels.shape[0])]
        return name_faces(namer, found, asked)

    def enrolled(self, people: Mapping[str, Picture | Sequence[Picture]]) -> Gallery:
        """Embeds people once, for many calls of `identify`; nothing is written.

        Args:
            people: One picture or several by name: faces, or photographs of one person alone.

        Raises:
            DataError: A picture cannot be used, or shows nobody or several.
        """
        gallery = MemoryGallery()
        embeddings = {
            str(name): self._embedded([self._one_face(image, f"picture of {name}") for image in several(images)])
            for name, images in people.items()
        }
        if not embeddings:
            raise DataError("gallery", got="nobody", expected="pictures by name", remedy="give somebody")
        gallery.enrol(embeddings, self.weights)
        return gallery

    def _people(self, given: People) -> Gallery:
        if isinstance(given, Gallery):
            return given
        if isinstance(given, Mapping):
            return self.enrolled(given)
        return gallery_at(str(given))

    def _embedded(self, faces: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Float[np.ndarray, "n d"]:
        return self._pair.embed(self._pair.restore(self._shown(faces)))

    def _shown(self, faces: Sequence[UInt8[np.ndarray, "s s 3"]]) -> list[UInt8[np.ndarray, "s s 3"]]:
        """Faces as the pair is to see them."""
        return [face.pixels for face in sized(faces, estimate=self._estimate_side)]

    def _one_face(self, image: Picture, what: str) -> UInt8[np.ndarray, "s s 3"]:
        pixels = picture_of(image, what)
        if _is_face(pixels) or self._crowd is None:
            return _face(pixels, what)
        found = self._crowd.find(pixels).faces
        if len(found) != 1:
            raise DataError(
                what, got=f"{len(found)} faces", expected="one person alone", remedy="crop it, or take another"
            )
        return found[0].pixels

    def _detector(self) -> Crowd:
        if self._crowd is None:
            raise ConfigError(
                "face detector",
                got="no weights",
                expected="the path of face_detection_yunet_2023mar.onnx",
                remedy=f'give detector=PATH to lrface.load, or detector="{DOWNLOAD}" where there is a network',
            )
        return self._crowd


def load(
    where: str | PathLike[str],
    *,
    device: str = "auto",
    detector: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    smallest: float | None = None,
    estimate_side: bool = ESTIMATES,
) -> LoadedPair:
    """Loads a pair.

    Args:
        where: ``models:/lrface@champion``, ``models:/lrface/3``, ``runs:/ID`` of the run that registered it, or a
            folder that holds ``edgeface/`` and ``dsr/``. Files of a version are held against their recorded hashes.
        device: ``auto`` (the GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        detector: Path of YuNet's weights, or ``download``; None: those that were downloaded before, if any. Needed for
            photographs alone.
        project: The project whose registry is meant where MLFLOW_TRACKING_URI names none; None: as the jobs find it.
        smallest: Side of the smallest faces that are looked for in photographs, pixels; None: 10.
        estimate_side: Bring faces that were enlarged before they came back to their size.

    Raises:
        ConfigError: There is no such device.
        DataError: The detector's weights are missing or others.
        RegistryError: There is no such version, or its files are not the recorded ones.
        WeightsError: What lies there is no pair, or is broken.
    """
    place = str(where)
    chosen = pick_device(device)
    crowd = _crowd(detector, smallest)
    if place.startswith(("models:", "runs:")):
        from lrface.tracking.registry.reading import fetched_pair  # only now: a folder needs no MLflow

        root = project_root() if project is None else given_path(project)
        with fetched_pair(place, root) as (version, folder):
            return _read(folder, version.uri, chosen, version.licence, crowd, estimate_side)
    folder = given_path(place)
    if not folder.exists() and "://" in place:
        raise RegistryError(
            f"pair {place}", got="an address of another kind", expected=_EXPECTED, remedy="name one of these"
        )
    if not (folder / EDGEFACE).is_dir() or not (folder / DSR).is_dir():
        there = "a file" if folder.is_file() else "a folder without edgeface/ and dsr/"
        got = there if folder.exists() else "no such folder"
        raise WeightsError(f"pair {place}", got=got, expected=_EXPECTED, remedy="name one of these")
    return _read(folder, str(folder), chosen, "unknown", crowd, estimate_side)


def _read(
    folder: Path, origin: str, device: torch.device, licence: str, crowd: Crowd | None, estimate_side: bool
) -> LoadedPair:
    pair = read_pair(folder, device)
    points = points_of(folder, pair.weights)
    return LoadedPair(pair, origin, points, licence, crowd, estimate_side=estimate_side)


def _crowd(detector: str | PathLike[str] | None, smallest: float | None) -> Crowd | None:
    """What finds faces, where weights are named or were downloaded before."""
    cached = yunet_cache()
    weights = str(detector) if detector is not None else str(cached) if cached.is_file() else ""
    if not weights:
        return None
    settings = CrowdSettings() if smallest is None else CrowdSettings(smallest=smallest)
    return Crowd(DetectorSettings(weights=weights), settings)


def _is_face(pixels: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether a picture is taken for an aligned face without being asked."""
    height, width = pixels.shape[:2]
    return bool(height == width and (VLR_MIN <= width <= VLR_MAX or width == FACE_SIZE))


def _face(image: Picture, what: str) -> UInt8[np.ndarray, "s s 3"]:
    """An aligned face: as it is where it is small or of 112 pixels, else brought to 112 as `prepare` does."""
    pixels = picture_of(image, what)
    height, width = pixels.shape[:2]
    if height != width or not VLR_MIN <= width <= _LARGEST_FACE:
        raise DataError(
            what,
            got=f"{width}x{height} pixels",
            expected=f"an aligned face, square, {VLR_MIN} to {_LARGEST_FACE} pixels",
            remedy="crop the face; of a photograph call pair.faces or pair.identify",
        )
    return pixels if width <= VLR_MAX else resize(pixels)
