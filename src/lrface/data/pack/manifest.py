"""The manifest: one line per face, and the digest over all of them."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lrface.errors import DataError

SUPERRES_SPLITS = ("train", "val", "test")
RECOGNITION_SPLITS = ("train", "val", "none")

VLR_COLUMN = "vlr_sha256"
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.string()),
        ("subject", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("superres", pa.string()),
        ("recognition", pa.string()),
    ]
)
COLUMNS = tuple(SCHEMA.names)


def manifest_digest(manifest: pd.DataFrame) -> str:
    """Hashes what a pack holds, whatever order and folder it was found in.

    Each face gives one line: sha256 of its pixels (and of its VLR image where there is one), subject, both
    splits, path relative to the source. The digest is the sha256 over the sorted lines.

    Args:
        manifest: The manifest with the columns ``COLUMNS``, and ``vlr_sha256`` where there are VLR images.

    Returns:
        64 hexadecimal digits.
    """
    names = ["sha256", "subject", "superres", "recognition", "source"]
    if VLR_COLUMN in manifest.columns:
        names.append(VLR_COLUMN)
    # Names hold no control characters (naming.clean_name), so a tab cannot be part of one.
    lines = sorted("\t".join(fields) for fields in zip(*(manifest[name] for name in names), strict=True))
    return _hash_lines(lines)


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Writes the manifest as Parquet.

    Args:
        manifest: The manifest with the columns ``COLUMNS``.
        path: The file to write.
    """
    schema = SCHEMA
    if VLR_COLUMN in manifest.columns:
        schema = schema.append(pa.field(VLR_COLUMN, pa.string()))
    table = pa.Table.from_pandas(manifest, schema=schema, preserve_index=False)
    pq.write_table(table, path, compression="zstd")


def read_manifest(path: Path) -> pd.DataFrame:
    """Reads a manifest and checks its columns and values.

    Args:
        path: The Parquet file.

    Returns:
        One line per face, in row order.

    Raises:
        DataError: The file is missing, no manifest, or holds values that none can hold.
    """
    what = f"manifest {path}"
    remedy = "make the pack again with prepare"
    if not path.is_file():
        raise DataError(what, got="no such file", expected="the manifest of a pack", remedy=remedy)
    try:
        table = pq.read_table(path, partitioning=None)  # or a folder named lr=0.1 becomes a column
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(what, got=f"no Parquet ({error})", expected="a manifest", remedy=remedy) from error
    expected = SCHEMA
    if VLR_COLUMN in table.column_names:
        expected = expected.append(pa.field(VLR_COLUMN, pa.string()))
    if not table.schema.remove_metadata().equals(expected):
        got = ", ".join(f"{entry.name} {entry.type}" for entry in table.schema)
        wanted = ", ".join(f"{entry.name} {entry.type}" for entry in expected)
        raise DataError(what, got=f"columns {got}", expected=f"columns {wanted}", remedy=remedy)
    try:
        manifest: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    except (pa.ArrowException, ValueError) as error:
        raise DataError(what, got=f"no text ({error})", expected="a manifest", remedy=remedy) from error
    _check_values(manifest, what, remedy)
    return manifest


def _check_values(manifest: pd.DataFrame, what: str, remedy: str) -> None:
    if manifest.isna().to_numpy().any():
        raise DataError(what, got="empty cells", expected="a value in every cell", remedy=remedy)
    if not (manifest["row"].to_numpy() == range(len(manifest))).all():
        raise DataError(what, got="rows out of order", expected="rows 0, 1, 2 ...", remedy=remedy)
    for column, allowed in (("superres", SUPERRES_SPLITS), ("recognition", RECOGNITION_SPLITS)):
        strange = set(manifest[column]) - set(allowed)
        if strange:
            raise DataError(
                what,
                got=f"{column} split {', '.join(sorted(map(repr, strange)))}",
                expected=", ".join(allowed),
                remedy=remedy,
            )


def make_manifest(
    source: Sequence[str],
    subject: Sequence[str],
    sha256: Sequence[str],
    width: Sequence[int],
    height: Sequence[int],
    superres: Sequence[str],
    recognition: Sequence[str],
    vlr_sha256: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Puts equally long columns together into a manifest.

    Args:
        source: Paths relative to the source's root, posix.
        subject: Subject names.
        sha256: Hashes of the pixels.
        width: Widths before alignment, pixels.
        height: Heights before alignment, pixels.
        superres: Super-resolution splits.
        recognition: Recognition splits.
        vlr_sha256: Hashes of the VLR images, where there are any.

    Returns:
        The manifest, rows numbered from 0.
    """
    columns: dict[str, Iterable[object]] = {
        "row": range(len(source)),
        "source": source,
        "subject": subject,
        "sha256": sha256,
        "width": width,
        "height": height,
        "superres": superres,
        "recognition": recognition,
    }
    if vlr_sha256 is not None:
        columns[VLR_COLUMN] = vlr_sha256
    return pd.DataFrame(columns)


def _hash_lines(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()
