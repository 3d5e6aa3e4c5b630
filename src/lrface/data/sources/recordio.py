"""The source ``record``: an insightface training set, ``train.rec`` with or without ``train.idx``.

RecordIO as MXNet writes it, read directly: a record is the magic number, a word with a flag in its upper 3
bits and a length in its lower 29, the payload, and zeros to a multiple of 4. A payload that holds the magic
number itself is cut there into parts (flags 1, 2, 3). The payload begins with an image header: flag
(uint32), label (float32), two ids (uint64 each); where the flag is not 0 it counts the float32 labels that
follow. In insightface's files the labels of record 0 say where the images end and the list of people begins, and where
that ends: as float32, which above 16,777,216 holds no odd number. So where the images end the records themselves say:
those of people have two labels and no content.
"""

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lrface.data.files.reader import FileReader, ImageFile
from lrface.data.settings import ReadSettings
from lrface.data.source import Report, SourceFace
from lrface.errors import DataError

_MAGIC = struct.pack("<I", 0xCED7230A)
_WORD = struct.Struct("<I")
_HEADER = struct.Struct("<IfQQ")
_EXACT = 1 << 24
"""From here on float32 holds no odd number."""
_LARGEST_RECORD = 1 << 26


@dataclass(frozen=True, eq=False)
class Record:
    """One record.

    Attributes:
        labels: Its labels; one for an image.
        content: What follows them: an encoded image, or nothing.
    """

    labels: np.ndarray
    content: bytes


class RecordSource:
    """Faces from an insightface record file, streamed.

    Args:
        path: ``train.rec``, or the folder with it.
        settings: How images are read and aligned.

    Raises:
        DataError: The file is missing or no record file.
    """

    def __init__(self, path: Path | str, settings: ReadSettings) -> None:
        given = Path(path)
        self.path = given / "train.rec" if given.is_dir() else given
        if not self.path.is_file():
            raise DataError(
                f"record file {self.path}", got="no such file", expected="train.rec", remedy="correct the path"
            )
        self._reader = FileReader(settings)
        with self.path.open("rb") as file:
            first = next(read_records(file, self.path), None)
        if first is None:
            raise _damaged(self.path, 0, "an empty file")
        # A plain record file, without insightface's header, begins with an image.
        self._header = first.labels if not first.content and len(first.labels) > 1 else None

    def describe(self) -> dict[str, Any]:
        """Names the kind, the file's own name and what decides about the pixels."""
        return {"kind": "record", "name": self.path.resolve().parent.name, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names no folder: one file is read."""
        return ()

    def files(self) -> tuple[Path, ...]:
        """Names the one file."""
        return (self.path,)

    def count(self) -> int | None:
        """Gives the number of images where the header says it, or else the index beside the file."""
        return int(self._header[0]) - 1 if self._header is not None else self._index_lines()

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the order of the file; the subject is the label.

        All images that are there, whatever header and index promise; where these say something else, that is told.
        """
        lines = self._index_lines()
        if self._header is not None and lines is not None and not _agrees(lines, float(self._header[1])):
            report.note(
                f"{self.path.with_suffix('.idx').name} names {lines} records, and the header of {self.path.name}"
                f" {self._header[1]:.0f}"
            )
        yield from self._reader.read(self._files(report, lines), report)

    def _index_lines(self) -> int | None:
        index = self.path.with_suffix(".idx")
        if not index.is_file():
            return None
        with index.open("rb") as lines:
            return sum(1 for line in lines if line.strip())

    def _files(self, report: Report, lines: int | None) -> Iterator[ImageFile]:
        images = 0
        with self.path.open("rb") as file:
            for number, record in enumerate(read_records(file, self.path)):
                if self._header is not None and number == 0:
                    continue
                if _is_list(record):
                    break  # the list of people
                images += 1
                subject = f"{record.labels[0]:.0f}"
                yield ImageFile(f"{subject}/{number}", subject, partial(_content, record))
            else:
                if self._header is not None and self._header[1] > self._header[0]:
                    report.note(f"{self.path.name} ends without its list of people: it may have been cut off")
        if not images:
            raise _damaged(self.path, self.path.stat().st_size, f"an end after 0 of {self.count() or 'its'} images")
        if self._header is not None:
            promised, by = float(self._header[0]) - 1, f"the header of {self.path.name}"
        else:
            promised, by = float(images if lines is None else lines), self.path.with_suffix(".idx").name
        if not _agrees(images, promised):
            report.note(f"{by} promises {promised:.0f} images, and there are {images}, which were read")


def _agrees(count: int, promised: float) -> bool:
    """Whether a count is the one that a float32 stands for, which above 2^24 may be another one nearby."""
    return abs(count - promised) <= (float(np.spacing(np.float32(promised))) if promised >= _EXACT else 0)


def _is_list(record: Record) -> bool:
    """Whether a record says from where to where others stand, as those of people do.

    An image that is empty has its label and a 0.
    """
    return not record.content and len(record.labels) > 1 and bool(record.labels[1] > record.labels[0])


def read_records(file: BinaryIO, path: Path) -> Iterator[Record]:
    """Reads one record after the other.

    Args:
        file: The open file, at its beginning.
        path: Its name, for messages.

    Yields:
        The records.

    Raises:
        DataError: The file is damaged; the message gives the place.
    """
    while True:
        place = file.tell()
        payload = _payload(file, path)
        if payload is None:
            return
        if len(payload) < _HEADER.size:
            raise _damaged(path, place, f"a record of {len(payload)} bytes")
        flag, label, _, _ = _HEADER.unpack_from(payload)
        end = _HEADER.size + 4 * flag
        if len(payload) < end:
            raise _damaged(path, place, f"{flag} labels in a record of {len(payload)} bytes")
        labels = np.frombuffer(payload, "<f4", flag, _HEADER.size) if flag else np.array([label], np.float32)
        if not np.isfinite(labels).all():
            raise _damaged(path, place, "a label that is no number")
        if labels[0] != np.floor(labels[0]):
            raise _damaged(path, place, f"a person numbered {labels[0]:g}")
        yield Record(labels, payload[end:])


def _payload(file: BinaryIO, path: Path) -> bytes | None:
    parts: list[bytes] = []
    while True:
        place = file.tell()
        head = file.read(8)
        if not head and not parts:
            return None
        if len(head) < 8 or head[:4] != _MAGIC:
            raise _damaged(path, place, "no record where one should begin")
        word = _WORD.unpack(head[4:])[0]
        flag, length = word >> 29, word & ((1 << 29) - 1)
        if length > _LARGEST_RECORD:
            raise _damaged(path, place, f"a record of {length} bytes")
        padded = (length + 3) // 4 * 4
        content = file.read(padded)
        if len(content) < padded:
            raise _damaged(path, place, "an end in the middle of a record")
        if (flag in (0, 1)) != (not parts) or flag > 3:
            raise _damaged(path, place, "parts of a record out of order")
        parts.append(content[:length])
        if flag in (0, 3):
            # The writer cut the payload where it held the magic number.
            return _MAGIC.join(parts)


def _content(record: Record) -> bytes:
    return record.content


def _damaged(path: Path, place: int, got: str) -> DataError:
    return DataError(
        f"record file {path} at byte {place}",
        got=got,
        expected="RecordIO as MXNet writes it",
        remedy="copy the file again",
    )
