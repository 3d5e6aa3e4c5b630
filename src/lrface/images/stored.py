"""What reads faces need not know: whether all of them are mapped from a disk, or fetched when they are asked for."""

from dataclasses import dataclass
from typing import Any, Protocol


class StoredFaces(Protocol):
    """Faces of a pack, uint8 RGB, n x 112 x 112 x 3: a memory map, or shards on S3.

    Only what is taken by index is read. Indices are a row, a slice, or a list or an array of rows.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of faces, height, width, channels."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...  # noqa: ANN401 - as of an array


@dataclass(frozen=True)
class Locality:
    """How near to each other rows should be read that lie near each other.

    Attributes:
        rows: Rows in a shard.
        shards: How many shards may be in use at a time.
    """

    rows: int
    shards: int
