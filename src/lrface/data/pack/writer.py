"""Writes a pack face by face, so that it appears whole or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from lrface.data.measure import hash_pixels
from lrface.data.naming import clean_name
from lrface.data.pack.manifest import (
    RECOGNITION_SPLITS,
    SUPERRES_SPLITS,
    make_manifest,
    manifest_digest,
    write_manifest,
)
from lrface.data.pack.npy_stream import NpyStream
from lrface.data.pack.pack import (
    FACES_FILE,
    FORMAT_VERSION,
    INFO_FILE,
    MANIFEST_FILE,
    VLR_FILE,
    Pack,
    PackInfo,
    open_pack,
)
from lrface.data.pack.partial import PartialFolder, clean_leftovers
from lrface.data.source import FACE_SIZE, SourceFace
from lrface.errors import DataError

_FACE_SHAPE = (FACE_SIZE, FACE_SIZE, 3)


class PackWriter:
    """Streams faces into a hidden folder and makes a pack of it in one rename.

    Nothing is written before the first face; nothing stays when the block is left without ``commit``. No
    more than one face is held in memory.

    Args:
        target: The folder that is to become the pack.
        overwrite: Replace another pack that is there.

    Raises:
        DataError: Something that is no pack is in the way.
    """

    def __init__(self, target: Path | str, *, overwrite: bool = False) -> None:
        self.target = Path(target).absolute()
        self.overwrite = overwrite
        self._folder: PartialFolder | None = None
        self._faces: NpyStream | None = None
        self._vlr: NpyStream | None = None
        self._rows: list[tuple[str, str, str, int, int, str | None, str | None]] = []
        self._vlr_hashes: list[str] = []
        self._names: dict[str, str] = {}
        check_target(self.target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, face: SourceFace, sha256: str | None = None) -> None:
        """Writes one face.

        Args:
            face: The face.
            sha256: Hash of its pixels where it is known already.

        Raises:
            DataError: Names or pixels cannot go into a pack, or nothing can be written.
        """
        source = clean_name(face.source, f"path {face.source!r}")
        subject = self._names.get(face.subject)
        if subject is None:
            subject = self._names.setdefault(face.subject, clean_name(face.subject, f"subject of {face.source}"))
        if face.pixels.shape != _FACE_SHAPE or face.pixels.dtype != np.uint8:
            got = f"{face.pixels.dtype} {face.pixels.shape}"
            raise DataError(source, got=got, expected=f"uint8 {_FACE_SHAPE}", remedy="align the face first")
        if self._rows and (face.vlr is None) != (self._vlr is None):
            raise DataError(
                source,
                got="a VLR image for some faces and none for others",
                expected="one for each face, or none",
                remedy="pack them apart",
            )
        digest = sha256 or hash_pixels(face.pixels)
        try:
            self._open_streams(face)
            assert self._faces is not None  # noqa: S101 - opened by the line above
            self._faces.append(face.pixels)
            if face.vlr is not None and self._vlr is not None:
                self._append_vlr(face.vlr, self._vlr, source)
        except OSError as error:
            raise self._cannot_write(error) from error
        self._rows.append((source, subject, digest, face.width, face.height, face.superres, face.recognition))

    def face(self, row: int) -> UInt8[np.ndarray, "112 112 3"]:
        """Reads a face that was written.

        Raises:
            IndexError: There is no such row.
        """
        if self._faces is None:
            raise IndexError(f"face {row} of 0")
        return self._faces[row]

    def table(self) -> pd.DataFrame:
        """Gives the rows so far: source, subject, sha256, width, height, prescribed splits or None."""
        names = ["source", "subject", "sha256", "width", "height", "superres", "recognition"]
        return pd.DataFrame(self._rows, columns=names)

    def commit(
        self,
        superres: Sequence[str],
        recognition: Sequence[str],
        *,
        made: dict[str, Any] | None = None,
        licence: str = "",
        terms: str = "",
    ) -> Pack:
        """Writes manifest and ``pack.json`` and makes the pack appear.

        An identical pack that is already there stays as it is.

        Args:
            superres: The super-resolution split of each row.
            recognition: The recognition split of each row.
            made: How the pack was made, in plain JSON values.
            licence: Licence of the faces.
            terms: What they may be used for.

        Returns:
            The pack, opened from its target.

        Raises:
            DataError: There are no faces, a split has no such name, or another pack is there.
        """
        if self._folder is None or self._faces is None:
            raise DataError(f"pack {self.target}", got="no faces", expected="one or more", remedy="check the source")
        _check_splits(superres, recognition, len(self))
        manifest = self._manifest(superres, recognition)
        info = PackInfo(
            format_version=FORMAT_VERSION,
            rows=len(manifest),
            subjects=int(manifest["subject"].nunique()),
            digest=manifest_digest(manifest),
            vlr_size=None if self._vlr is None else self._vlr.shape[0],
            licence=licence,
            terms=terms,
            made=made or {},
        )
        text = json.dumps(info.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            self._faces.close()
            if self._vlr is not None:
                self._vlr.close()
            write_manifest(manifest, self._folder.path / MANIFEST_FILE)
            (self._folder.path / INFO_FILE).write_text(text, encoding="utf-8")
        except OSError as error:
            raise self._cannot_write(error) from error
        if self.target.exists() and any(self.target.iterdir()):
            if _is_same_pack(self.target, text):
                self.discard()
                return open_pack(self.target)
            self._refuse_unless_overwrite(info.digest)
        folder, self._folder = self._folder, None
        folder.commit()
        return open_pack(self.target)

    def discard(self) -> None:
        """Takes away what was written. Does nothing after ``commit``."""
        for stream in (self._faces, self._vlr):
            if stream is not None:
                stream.close()
        if self._folder is not None:
            folder, self._folder = self._folder, None
            folder.discard()

    def _open_streams(self, face: SourceFace) -> None:
        if self._folder is None:
            self._folder = PartialFolder(self.target)
            self._faces = NpyStream(self._folder.path / FACES_FILE, _FACE_SHAPE)
            if face.vlr is not None:
                self._vlr = NpyStream(self._folder.path / VLR_FILE, face.vlr.shape)

    def _append_vlr(self, vlr: np.ndarray, stream: NpyStream, source: str) -> None:
        if vlr.shape != stream.shape or vlr.dtype != np.uint8:
            raise DataError(
                source,
                got=f"a VLR image of {vlr.dtype} {vlr.shape}",
                expected=f"uint8 {stream.shape}, as the first one",
                remedy="pack each size apart",
            )
        stream.append(vlr)
        self._vlr_hashes.append(hash_pixels(vlr))

    def _manifest(self, superres: Sequence[str], recognition: Sequence[str]) -> pd.DataFrame:
        source, subject, sha256, width, height, _, _ = zip(*self._rows, strict=True)
        hashes = self._vlr_hashes if self._vlr is not None else None
        return make_manifest(source, subject, sha256, width, height, superres, recognition, hashes)

    def _refuse_unless_overwrite(self, digest: str) -> None:
        if self.overwrite:
            return
        raise DataError(
            f"pack {self.target}",
            got="another pack in this place",
            expected=f"none, or the same one (digest {digest[:12]})",
            remedy="choose another folder, or allow overwriting",
        )

    def _cannot_write(self, error: OSError) -> DataError:
        return DataError(
            f"writing pack {self.target}",
            got=error.strerror or str(error),
            expected="a disk that can be written, with room enough",
            remedy="make room or choose another folder",
        )


def write_pack(
    target: Path | str,
    faces: UInt8[np.ndarray, "n 112 112 3"],
    subjects: Sequence[str],
    *,
    superres: Sequence[str] | str = "train",
    recognition: Sequence[str] | str = "none",
    sources: Sequence[str] | None = None,
    vlr: UInt8[np.ndarray, "n size size 3"] | None = None,
    made: dict[str, Any] | None = None,
    licence: str = "",
    terms: str = "",
    overwrite: bool = False,
) -> Pack:
    """Writes arrays that are in memory as a pack.

    Args:
        target: The folder that is to become the pack.
        faces: The faces, RGB.
        subjects: The subject of each.
        superres: The super-resolution split of each, or one for all.
        recognition: The recognition split of each, or one for all.
        sources: The path of each, relative; made from subject and row where not given.
        vlr: Real VLR images of the same faces.
        made: How the pack was made.
        licence: Licence of the faces.
        terms: What they may be used for.
        overwrite: Replace another pack that is there.

    Returns:
        The opened pack.

    Raises:
        DataError: As ``PackWriter``.
    """
    count = len(faces)
    if sources is None:
        sources = [f"{subject}/{row}.png" for row, subject in enumerate(subjects)]
    with PackWriter(target, overwrite=overwrite) as writer:
        for row, (face, subject, source) in enumerate(zip(faces, subjects, sources, strict=True)):
            image = None if vlr is None else vlr[row]
            writer.append(SourceFace(source, subject, face, FACE_SIZE, FACE_SIZE, vlr=image))
        return writer.commit(
            [superres] * count if isinstance(superres, str) else superres,
            [recognition] * count if isinstance(recognition, str) else recognition,
            made=made,
            licence=licence,
            terms=terms,
        )


def check_target(target: Path) -> None:
    """Refuses to replace anything but a pack: a mistyped folder must not cost somebody's photographs."""
    if target.parent.is_dir():
        clean_leftovers(target)
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / INFO_FILE).is_file()):
        raise DataError(
            f"pack {target}",
            got="a folder or file of another kind in this place",
            expected="a new name, an empty folder or a pack",
            remedy="choose another folder",
        )


def _is_same_pack(target: Path, text: str) -> bool:
    if (target / INFO_FILE).read_text(encoding="utf-8") != text:
        return False
    try:
        open_pack(target)
    except DataError:
        return False  # damaged: to be replaced, if that is allowed
    return True


def _check_splits(superres: Sequence[str], recognition: Sequence[str], rows: int) -> None:
    for name, values, allowed in (
        ("superres", superres, SUPERRES_SPLITS),
        ("recognition", recognition, RECOGNITION_SPLITS),
    ):
        strange = set(values) - set(allowed)
        if strange or len(values) != rows:
            got = (
                f"{len(values)} values, among them {sorted(map(str, strange))}" if strange else f"{len(values)} values"
            )
            expected = f"{rows} values out of {', '.join(allowed)}"
            raise DataError(f"split {name}", got=got, expected=expected, remedy="assign each row a split")
