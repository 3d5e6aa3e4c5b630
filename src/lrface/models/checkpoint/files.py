"""What kind of file a checkpoint is, and what it holds, read within the bounds of its real bytes."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from lrface.models.checkpoint.refusal import CheckpointRefusedError
from lrface.models.checkpoint.tensors import MalformedTensorError
from lrface.models.checkpoint.unpickle import (
    RefusedNameError,
    TruncatedPickleError,
    check_pickle,
    read_pickle,
)

LIMIT_BYTES = 2 * 2**30
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_SAFETENSORS_HEADER_LIMIT = 100 * 2**20
_AGAIN = "fetch the file again; it was cut off on its way"
_NAMED_STARTS = (
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-zip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x93NUMPY", "a numpy array"),
    (b"{", "JSON text"),
)


@dataclass(frozen=True)
class Payload:
    """What a file holds.

    Attributes:
        container: "torch zip", "torch legacy", "torchscript", "safetensors" or "pickle".
        content: The unpickled tree, with stand-ins, or the table of tensors.
        stand_ins: Full names of the classes that were replaced.
    """

    container: str
    content: object
    stand_ins: tuple[str, ...]


def file_sha256(path: Path) -> str:
    """Sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_payload(path: Path, data: bytes) -> Payload:
    """Find out what a file is, and read it.

    Args:
        path: The file's name, for messages.
        data: Its bytes.

    Raises:
        CheckpointRefusedError: The file is no checkpoint, is damaged, or names what must not be called.
    """
    try:
        _refuse_known_strangers(path, data)
        if data.startswith(b"PK\x03\x04"):
            return _read_zip(path, data)
        if _looks_like_safetensors(data):
            return _read_safetensors(path, data)
        if data[:1] == b"\x80" or _is_early_pickle(data):
            return _read_pickles(path, data)
    except TruncatedPickleError as error:
        raise _truncated(path, f"a pickle that ends early ({error})") from error
    except RefusedNameError as error:
        raise CheckpointRefusedError(
            str(path),
            kind="refused_pickle",
            got=f"a pickle that names {error.name}, which may run code",
            remedy="do not load this file with anything; save a plain state dict where you trust its source",
        ) from error
    except MalformedTensorError as error:
        raise CheckpointRefusedError(
            str(path), kind="damaged", got=str(error), remedy="fetch the file again, or save it anew"
        ) from error
    if data[257:262] == b"ustar":
        raise _stranger(path, "a tar archive")
    raise _stranger(path, f"{len(data)} bytes that start with {data[:8].hex(' ')}")


def _refuse_known_strangers(path: Path, data: bytes) -> None:
    if not data:
        raise CheckpointRefusedError(str(path), kind="empty", got="no bytes", remedy="fetch the file again")
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointRefusedError(
            str(path),
            kind="lfs_pointer",
            got="a Git LFS pointer, the address of the file and not the file",
            remedy="run `git lfs pull` in its repository, or download the file itself",
        )
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")):
        raise CheckpointRefusedError(
            str(path),
            kind="html",
            got="a web page that was saved by mistake",
            remedy="download the raw file (on GitLab and GitHub the address has /raw/, not /blob/)",
        )
    if data[:1] == b"\x08" and data[2:3] == b"\x12":
        raise CheckpointRefusedError(
            str(path),
            kind="unknown",
            got="an ONNX model, which cannot be trained",
            remedy="name it as edgeface of what measures (evaluate, verify, curve, gallery) or as judge",
        )
    for magic, name in _NAMED_STARTS:
        if data.startswith(magic):
            raise _stranger(path, name)


def _stranger(path: Path, name: str) -> CheckpointRefusedError:
    remedy = "give a state dict, a model folder or safetensors"
    return CheckpointRefusedError(str(path), kind="unknown", got=name, remedy=remedy)


def _truncated(path: Path, got: str) -> CheckpointRefusedError:
    return CheckpointRefusedError(str(path), kind="truncated", got=got, remedy=_AGAIN)


def _looks_like_safetensors(data: bytes) -> bool:
    if len(data) < 9:
        return False
    (length,) = struct.unpack("<Q", data[:8])
    return 2 <= length <= _SAFETENSORS_HEADER_LIMIT and data[8:9] == b"{"


def _read_safetensors(path: Path, data: bytes) -> Payload:
    (length,) = struct.unpack("<Q", data[:8])
    if 8 + length > len(data):
        raise _truncated(path, f"a safetensors header of {length} bytes in a file of {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length])
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        if max(ends, default=0) > len(data) - 8 - length:
            raise _truncated(path, f"safetensors without its last {max(ends) + 8 + length - len(data)} bytes")
        return Payload("safetensors", safetensors.torch.load(data), ())
    except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedTensorError(f"safetensors that cannot be read ({error})") from error


def _read_zip(path: Path, data: bytes) -> Payload:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_archive(path, archive, len(data))
    except (zipfile.BadZipFile, EOFError) as error:
        if b"PK\x05\x06" not in data[-65_557:]:
            raise _truncated(path, "a zip archive without its table of contents, which is at the end") from error
        raise MalformedTensorError(f"a zip archive that is damaged ({error})") from error
    except (TruncatedPickleError, RefusedNameError, MalformedTensorError):
        raise
    except (ValueError, LookupError, NotImplementedError, RuntimeError, OverflowError, struct.error) as error:
        raise MalformedTensorError(f"a zip archive that cannot be read ({error})") from error


def _read_archive(path: Path, archive: zipfile.ZipFile, size: int) -> Payload:
    names = {entry.filename: entry for entry in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in names if name.partition("/")[2] == "data.pkl"]
    if len(roots) != 1:
        shown = ", ".join(sorted(names)[:3]) or "nothing"
        raise CheckpointRefusedError(
            str(path),
            kind="zip",
            got=f"a zip archive of something else ({shown})",
            remedy="unpack it, and give the checkpoint that is inside",
        )
    root = roots[0]
    read_ones = (f"{root}data.pkl", f"{root}byteorder", f"{root}data/")
    wanted = [entry for name, entry in names.items() if name.startswith(read_ones)]
    # Stored, not packed, and together no larger than the file: so nothing grows while it is read.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in wanted):
        raise MalformedTensorError("a torch archive with compressed tensors, which torch does not write")
    if sum(entry.file_size for entry in wanted) > size:
        raise MalformedTensorError("a torch archive whose records overlap")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder").strip() == b"big":
        raise MalformedTensorError("big-endian numbers, which this reader does not turn round")

    def read(key: str) -> bytearray:
        record = f"{root}data/{key}"
        if record not in names:
            raise MalformedTensorError(f"a tensor whose record {record} is not in the archive")
        return bytearray(archive.read(record))

    content, reader = read_pickle(archive.read(f"{root}data.pkl"), _once(read), budget=size)
    if any(name.startswith(f"{root}code/") or name == f"{root}constants.pkl" for name in names):
        return Payload("torchscript", content, ())
    return Payload("torch zip", content, tuple(reader.stand_ins))


def _once(read: Callable[[str], bytearray]) -> Callable[[str], bytearray]:
    known: dict[str, bytearray] = {}

    def reading(key: str) -> bytearray:
        if key not in known:
            known[key] = read(key)
        return known[key]

    return reading


def _read_pickles(path: Path, data: bytes) -> Payload:
    end = check_pickle(data)
    first, reader = read_pickle(data[:end], None)
    if first != _LEGACY_MAGIC:
        return Payload("pickle", first, tuple(reader.stand_ins))
    return _read_legacy(path, data, end)


def _is_early_pickle(data: bytes) -> bool:
    # Protocols 0 and 1 have no mark of their own, and many a text starts like them.
    if data[:1] not in (b"(", b"c", b"}", b"]"):
        return False
    try:
        check_pickle(data)
    except (TruncatedPickleError, MalformedTensorError):
        return False
    return True


def _read_legacy(path: Path, data: bytes, start: int) -> Payload:
    """Torch's format before 1.6: magic, version, system, content, storage keys, then the storages."""
    parts: list[bytes] = []
    for _ in range(4):
        end = check_pickle(data, start)
        parts.append(data[start:end])
        start = end
    content, listed = parts[2:]
    keys, _ = read_pickle(listed)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise MalformedTensorError("a legacy checkpoint without its list of storages")
    # The file gives the number of elements of a storage, and the content their width.
    _, skimmed = read_pickle(content, lambda _: bytearray(), skim=True)
    places: dict[str, slice] = {}
    for key in keys:
        if key not in skimmed.storages:
            raise MalformedTensorError(f"a legacy checkpoint with a storage {key} that nothing uses")
        if start + 8 > len(data):
            raise _truncated(path, f"a legacy checkpoint without storage {key}")
        (numel,) = struct.unpack("<q", data[start : start + 8])
        begin, end = start + 8, start + 8 + numel * skimmed.storages[key].itemsize
        if numel < 0 or end > len(data):
            raise _truncated(path, f"a legacy checkpoint that ends within storage {key}")
        places[key] = slice(begin, end)
        start = end

    def read(key: str) -> bytearray:
        if key not in places:
            raise MalformedTensorError(f"a tensor whose storage {key} is not in the file")
        return bytearray(data[places[key]])

    tree, reader = read_pickle(content, _once(read), budget=len(data))
    return Payload("torch legacy", tree, tuple(reader.stand_ins))
