"""An ``.npy`` file that grows image by image."""

import os
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.lib import format as npy


class NpyStream:
    """Appends uint8 images of one shape to an ``.npy`` file whose length is not known beforehand.

    NumPy pads the header of a C-ordered array so that its first axis can grow to any length. The count is
    written last: until then the file reads as an empty array, never as one with holes.

    Args:
        path: The file to write.
        shape: Shape of one image.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path = path
        self.shape = shape
        self.count = 0
        # Opened here and closed by ``close``: the writer outlives any one block.
        # Unbuffered: an image is written in one call, and gathering several first only copies them once more.
        self._file: FileIO = path.open("w+b", buffering=0)
        self._write_header()
        self._start = self._file.tell()

    def append(self, image: np.ndarray) -> None:
        """Writes one image after the last."""
        if image.shape != self.shape or image.dtype != np.uint8:
            raise ValueError(f"got {image.dtype} {image.shape}, expected uint8 {self.shape}")
        rest = np.ascontiguousarray(image).reshape(-1).data
        while len(rest):  # a raw write may stop short, as where a disk fills up
            rest = rest[self._file.write(rest) :]
        self.count += 1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> np.ndarray:
        """Reads an image that has been written. Not by a map: all that was ever looked at would count as memory."""
        if not 0 <= row < self.count:
            raise IndexError(f"image {row} of {self.count}")
        size = int(np.prod(self.shape))
        content = os.pread(self._file.fileno(), size, self._start + row * size)
        return np.frombuffer(content, dtype=np.uint8).reshape(self.shape)

    def close(self) -> None:
        """Writes the count and closes the file."""
        if self._file.closed:
            return
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        npy.write_array_header_1_0(self._file, header)
