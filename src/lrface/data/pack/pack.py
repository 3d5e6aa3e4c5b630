"""The pack: all faces of a source as one memory map with its manifest."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64, UInt8
from pydantic import Field, ValidationError

from lrface.base.settings import Settings, first_problem
from lrface.data.naming import natural_key
from lrface.data.pack.manifest import (
    RECOGNITION_SPLITS,
    SUPERRES_SPLITS,
    VLR_COLUMN,
    manifest_digest,
    read_manifest,
)
from lrface.data.source import FACE_SIZE
from lrface.errors import DataError
from lrface.images.stored import Locality, StoredFaces

FORMAT_VERSION = 1
FACES_FILE = "faces.npy"
MANIFEST_FILE = "manifest.parquet"
INFO_FILE = "pack.json"
VLR_FILE = "vlr.npy"

_REMEDY = "make the pack again with prepare"


class PackInfo(Settings):
    """What ``pack.json`` says about the pack beside it."""

    format_version: int = Field(description="Version of the layout of the folder.")
    rows: int = Field(description="Number of faces.", ge=1)
    subjects: int = Field(description="Number of subjects.", ge=1)
    digest: str = Field(description="sha256 over the sorted rows.", pattern="^[0-9a-f]{64}$")
    vlr_size: int | None = Field(None, description="Side of the real VLR images, pixels, where there are any.")
    licence: str = Field("", description="Licence of the faces.")
    terms: str = Field("", description="What the faces may be used for.")
    made: dict[str, Any] = Field(default_factory=dict, description="How the pack was made: source, settings, summary.")


@dataclass(frozen=True, eq=False)
class Pack:
    """An opened pack. A batch is a slice of its memory map, or comes from shards on S3.

    Attributes:
        root: The folder; of a pack on S3 the local one that holds its small files.
        faces: The faces, n x 112 x 112 x 3, uint8 RGB, read-only: memory-mapped, or streamed from S3.
        manifest: One line per face: row, source, subject, sha256, width, height, superres, recognition.
        digest: sha256 over the sorted rows.
        info: What ``pack.json`` says.
        vlr: Real VLR images of the same rows, n x size x size x 3, likewise, where there are any.
        uri: Where it lies: ``file:`` or ``s3:``.
        reopen: Opens it again in another process, where the root alone does not say how.
    """

    root: Path
    faces: StoredFaces
    manifest: pd.DataFrame
    digest: str
    info: PackInfo
    vlr: StoredFaces | None = None
    uri: str = ""
    reopen: Callable[[], "Pack"] | None = None

    def __post_init__(self) -> None:
        if not self.uri:
            object.__setattr__(self, "uri", self.root.absolute().as_uri())

    @property
    def name(self) -> str:
        """What it is called: the last part of its path or URI."""
        return self.uri.rpartition("/")[2] if self.streamed else self.root.name

    @property
    def location(self) -> str:
        """The path or URI that opens it."""
        return self.uri if self.streamed else str(self.root)

    @property
    def locality(self) -> Locality | None:
        """How near to each other rows should be read that lie near each other; None where that does not matter."""
        return getattr(self.faces, "locality", None)

    @property
    def streamed(self) -> bool:
        """Whether its faces come from S3."""
        return self.reopen is not None

    def __len__(self) -> int:
        return len(self.manifest)

    def __reduce__(self) -> tuple[Any, tuple[Path, str] | tuple[()]]:
        # A worker process maps the file itself; pickling would copy every face.
        return (open_pack, (self.root, self.digest)) if self.reopen is None else (self.reopen, ())

    def rows(self, superres: str | None = None, recognition: str | None = None) -> Int64[np.ndarray, " rows"]:
        """Names the rows of a split.

        Args:
            superres: ``train``, ``val`` or ``test``; every row when None.
            recognition: ``train``, ``val`` or ``none``; every row when None.

        Returns:
            Row numbers in ascending order; empty where the split is empty.

        Raises:
            DataError: There is no split of that name.
        """
        chosen = np.ones(len(self), dtype=bool)
        for column, value, allowed in (
            ("superres", superres, SUPERRES_SPLITS),
            ("recognition", recognition, RECOGNITION_SPLITS),
        ):
            if value is None:
                continue
            if value not in allowed:
                raise DataError(
                    f"rows of {self.location}",
                    got=f"{column} split {value!r}",
                    expected=f"one of {', '.join(allowed)}",
                    remedy="name one of these",
                )
            chosen &= (self.manifest[column] == value).to_numpy()
        return np.flatnonzero(chosen).astype(np.int64)

    def subjects(self, rows: Int64[np.ndarray, " rows"]) -> np.ndarray:
        """Gives the subject of each row, as an array of str objects in the asked order."""
        names: np.ndarray = np.asarray(self.manifest["subject"], dtype=object)[rows]
        return names

    def labels(self, rows: Int64[np.ndarray, " rows"]) -> tuple[Int64[np.ndarray, " rows"], list[str]]:
        """Numbers the subjects of the given rows from 0.

        Args:
            rows: Row numbers.

        Returns:
            The label of each row, and the subjects in label order (natural order of their names).
        """
        codes, uniques = pd.factorize(self.subjects(rows))
        names = [str(name) for name in uniques]
        by_name = sorted(range(len(names)), key=lambda code: natural_key(names[code]))
        place = np.empty(len(names), dtype=np.int64)
        place[by_name] = np.arange(len(names))
        return place[codes], [names[code] for code in by_name]

    def batch(self, rows: Int64[np.ndarray, " rows"]) -> UInt8[np.ndarray, "rows 112 112 3"]:
        """Reads faces, each page of the file at most once and in file order.

        Args:
            rows: Row numbers in any order, repeated if need be.

        Returns:
            A copy of the faces, in the asked order.
        """
        return _gather(self.faces, rows)

    def vlr_batch(self, rows: Int64[np.ndarray, " rows"]) -> UInt8[np.ndarray, "rows size size 3"]:
        """Reads the real VLR images of the given rows.

        Raises:
            DataError: The pack has none.
        """
        if self.vlr is None:
            raise DataError(
                f"pack {self.location}",
                got="no vlr.npy",
                expected="real VLR images",
                remedy="prepare a source that has them, or use a degradation",
            )
        return _gather(self.vlr, rows)


def open_pack(path: Path | str, digest: str | None = None) -> Pack:
    """Opens a pack and checks that it is whole.

    Version, shapes, counts and digest are checked against the manifest; the pixels are not read.

    Args:
        path: The pack's folder.
        digest: Of the pack that is meant, where another may have taken its place meanwhile.

    Returns:
        The pack, its faces memory-mapped.

    Raises:
        DataError: There is no pack, or it is damaged, or another version wrote it.
    """
    root = Path(path)
    info = _read_info(root)
    check_digest(info, digest, f"pack {root}")
    manifest = read_manifest(root / MANIFEST_FILE)
    check_whole(info, manifest, f"pack {root}")
    faces = _map_images(root / FACES_FILE, (info.rows, FACE_SIZE, FACE_SIZE, 3))
    vlr = None
    if info.vlr_size is not None:
        vlr = _map_images(root / VLR_FILE, (info.rows, info.vlr_size, info.vlr_size, 3))
    return Pack(root=root, faces=faces, manifest=manifest, digest=info.digest, info=info, vlr=vlr)


def check_digest(info: PackInfo, digest: str | None, what: str) -> None:
    """Checks that a pack is still the one that was opened before.

    Raises:
        DataError: Another one is in its place.
    """
    if digest is not None and digest != info.digest:
        got, expected = f"digest {info.digest[:12]}", f"digest {digest[:12]}, which was there before"
        raise DataError(what, got=got, expected=expected, remedy="start again on the pack that is there now")


def check_whole(info: PackInfo, manifest: pd.DataFrame, what: str) -> None:
    """Checks that manifest and ``pack.json`` are of one pack.

    Raises:
        DataError: Counts or digest differ.
    """
    if len(manifest) != info.rows:
        raise DataError(what, got=f"{len(manifest)} manifest rows", expected=f"{info.rows}", remedy=_REMEDY)
    if manifest["subject"].nunique() != info.subjects:
        got = f"{manifest['subject'].nunique()} subjects"
        raise DataError(what, got=got, expected=f"{info.subjects}", remedy=_REMEDY)
    if (VLR_COLUMN in manifest.columns) != (info.vlr_size is not None):
        expected = "VLR images in both or in neither"
        raise DataError(what, got="manifest and pack.json that disagree", expected=expected, remedy=_REMEDY)
    digest = manifest_digest(manifest)
    if digest != info.digest:
        raise DataError(what, got=f"digest {digest[:12]}", expected=f"digest {info.digest[:12]}", remedy=_REMEDY)


def _read_info(root: Path) -> PackInfo:
    what = f"pack {root}"
    if not root.is_dir():
        raise DataError(what, got="no such folder", expected="a pack", remedy="make one with prepare")
    path = root / INFO_FILE
    if not path.is_file():
        raise DataError(
            what,
            got=f"a folder without {INFO_FILE}",
            expected=f"{FACES_FILE}, {MANIFEST_FILE} and {INFO_FILE}",
            remedy="make a pack with prepare, and name its folder here",
        )
    return parse_info(path.read_bytes(), str(path))


def parse_info(text: bytes, what: str) -> PackInfo:
    """Reads the content of ``pack.json``.

    Raises:
        DataError: It is damaged, or another version wrote it.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(what, got=f"no JSON ({error})", expected="JSON", remedy=_REMEDY) from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(what, got=f"format version {version}", expected=f"{FORMAT_VERSION}", remedy=_REMEDY)
    try:
        return PackInfo.model_validate(content)
    except ValidationError as error:
        raise DataError(what, got=first_problem(error), expected="the fields of a pack", remedy=_REMEDY) from error


def _map_images(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    what = f"faces {path}"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(what, got="no such file", expected="the faces of the pack", remedy=_REMEDY) from error
    except Exception as error:  # the head is read as Python's own text, and may be damaged in any way
        raise DataError(what, got=f"a damaged file ({error})", expected="an array", remedy=_REMEDY) from error
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != shape:
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else "no array"
        raise DataError(what, got=got, expected=f"uint8 {shape}", remedy=_REMEDY)
    return images


def _gather(images: StoredFaces, rows: np.ndarray) -> np.ndarray:
    if not isinstance(images, np.ndarray):
        taken: np.ndarray = images[rows]
        return taken
    out = np.empty((len(rows), *images.shape[1:]), dtype=images.dtype)
    for place in np.argsort(rows, kind="stable"):
        out[place] = images[rows[place]]
    return out
