"""Public protocols: LFW-style pairs, insightface verification sets, TinyFace and SurvFace folders."""

import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.evaluation.arms import Arm, Embedder
from lrface.evaluation.conditions import Degrade, clean
from lrface.evaluation.run import checked_embeddings
from lrface.images.ranges import FACE_SIZE, to_float
from lrface.metrics.identification import Identification, search
from lrface.metrics.verification import FoldAccuracy, fold_accuracy
from lrface.settings import Settings

PUBLISHED = {"edgeface_xxs": {"lfw": 0.9957, "calfw": 0.9483, "cplfw": 0.9027, "cfp_fp": 0.9363, "agedb_30": 0.9492}}
"""Ten-fold accuracies in HR that EdgeFace's authors give (George et al., IEEE TBIOM 2024), by network and set."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".pgm", ".bmp")
Align = Callable[[np.ndarray], np.ndarray]
"""A photograph, uint8 h x w x 3 RGB, to an aligned face, uint8 112 x 112 x 3."""


@dataclass(frozen=True)
class PairSet:
    """Labelled pairs of aligned faces.

    Attributes:
        name: What the set is called.
        faces: uint8 RGB, n x 112 x 112 x 3; each once.
        first: Face of each pair; shape p.
        second: The other face of each pair; shape p.
        same: Whether both show one person; shape p, in the order of the file, which is that of the folds.
        folds: Number of folds.
    """

    name: str
    faces: UInt8[np.ndarray, "n 112 112 3"]
    first: Int[np.ndarray, " p"]
    second: Int[np.ndarray, " p"]
    same: Bool[np.ndarray, " p"]
    folds: int = 10


class _OnlyPictures(pickle.Unpickler):
    """Admits lists, tuples, bytes and flags, and what Python 3 needs to write bytes in an old protocol."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  # whatever a pickle asks for
        """Refuses every name but the two that spell bytes."""
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        if name == "bytes" and module in ("__builtin__", "builtins"):
            return bytes
        raise pickle.UnpicklingError(f"{module}.{name} is neither a picture nor a flag")


def _latin_bytes(text: str, encoding: str) -> bytes:
    """Gives the bytes that Python 3 wrote as text; nothing else that codecs can do."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"bytes written as {encoding!r}")
    return text.encode("latin1")


def _broken(what: str, got: str, expected: str, remedy: str) -> EvaluationError:
    return EvaluationError(what, got=got, expected=expected, remedy=remedy)


def decode_face(encoded: bytes, name: str, align: Align | None = None) -> UInt8[np.ndarray, "112 112 3"]:
    """Decodes one picture to RGB, aligned where asked for.

    Raises:
        EvaluationError: No picture, or not 112 x 112 after alignment.
    """
    buffer = np.frombuffer(encoded, np.uint8)
    decoded = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
    if decoded is None:
        raise _broken(f"picture {name}", f"{buffer.size} bytes that are no picture", "JPEG or PNG", "fetch it again")
    face = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    if align is not None:
        face = align(face)
    if face.shape != (FACE_SIZE, FACE_SIZE, 3):
        raise _broken(
            f"picture {name}",
            f"{face.shape[1]}x{face.shape[0]} pixels",
            f"an aligned face of {FACE_SIZE}x{FACE_SIZE}",
            "align the set first, or give the alignment",
        )
    return np.asarray(face, np.uint8)


def read_verification_bin(path: Path, folds: int = 10) -> PairSet:
    """Reads an insightface verification set: a pickle of (encoded pictures, flags), two pictures per flag.

    Args:
        path: lfw.bin, cfp_fp.bin, agedb_30.bin, ...
        folds: Number of folds.

    Raises:
        EvaluationError: No such file, a pickle of anything else, or pictures that do not fit.
    """
    what = f"verification set {path}"
    try:
        content = _OnlyPictures(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError as error:
        raise _broken(what, "no such file", "a .bin of insightface", "check the path") from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise _broken(
            what, f"{type(error).__name__}: {error}", "a pickle of pictures and flags", "take it from its publisher"
        ) from error
    if not (isinstance(content, tuple | list) and len(content) == 2):
        raise _broken(what, f"a {type(content).__name__}", "(pictures, flags)", "take it from its publisher")
    pictures, flags = content
    shaped = isinstance(pictures, list) and isinstance(flags, list | tuple) and len(pictures) == 2 * len(flags)
    if not shaped or not all(isinstance(picture, bytes) for picture in pictures):
        raise _broken(what, "other content", "two encoded pictures per flag", "take it from its publisher")
    faces = np.stack([decode_face(picture, f"{number} of {path.name}") for number, picture in enumerate(pictures)])
    first = np.arange(0, len(pictures), 2)
    return PairSet(path.stem, faces, first, first + 1, np.array([bool(flag) for flag in flags]), folds)


def _lfw_pair(line: str, number: int, path: Path) -> tuple[tuple[str, int], tuple[str, int]]:
    parts = line.split("\t") if "\t" in line else line.split()
    try:
        if len(parts) == 3:
            return (parts[0], int(parts[1])), (parts[0], int(parts[2]))
        if len(parts) == 4:
            return (parts[0], int(parts[1])), (parts[2], int(parts[3]))
    except ValueError:
        pass
    raise _broken(
        f"{path}, line {number}", repr(line), "name, number, number or name, number, name, number", "mend the line"
    )


def _picture_of(folder: Path, name: str, number: int) -> Path:
    for suffix in SUFFIXES:
        found = folder / name / f"{name}_{number:04d}{suffix}"
        if found.is_file():
            return found
    raise _broken(
        f"pairs in {folder}", f"no picture {name}_{number:04d}", f"one in {name}/", "check the folder of the pictures"
    )


def read_lfw_pairs(pairs: Path, folder: Path, align: Align | None = None) -> PairSet:
    """Reads LFW-style pairs.txt with a folder of name/name_0001.jpg.

    The first line gives the number of folds and, after it, of pairs of each kind per fold (or the latter alone,
    which is one fold, reported over ten).

    Raises:
        EvaluationError: A missing file, a line that is no pair, a picture that is absent or not 112 x 112.
    """
    if not pairs.is_file():
        raise _broken(f"pairs {pairs}", "no such file", "pairs.txt as LFW gives it", "check the path")
    lines = [line.strip() for line in pairs.read_text(encoding="utf-8").splitlines()]
    header, body = (lines[0].split() if lines else []), [line for line in lines[1:] if line]
    if not header or not all(field.isdigit() for field in header) or not body:
        raise _broken(
            f"pairs {pairs}", repr(lines[:1]), "a first line with numbers, then pairs", "give LFW's pairs.txt"
        )
    folds = int(header[0]) if len(header) > 1 else 10
    wanted = [_lfw_pair(line, number, pairs) for number, line in enumerate(body, start=2)]
    pictures = {key: _picture_of(folder, *key) for pair in wanted for key in pair}
    place = {key: number for number, key in enumerate(pictures)}
    faces = np.stack([decode_face(path.read_bytes(), str(path), align) for path in pictures.values()])
    first, second = (np.array([place[pair[side]] for pair in wanted]) for side in (0, 1))
    same = np.array([pair[0][0] == pair[1][0] for pair in wanted])
    return PairSet(pairs.stem, faces, first, second, same, folds)


class PairSettings(Settings):
    """How a pair set is evaluated."""

    flip: bool = Field(default=False, description="add the embedding of the mirrored face")
    small: Literal["second", "both"] = Field(default="second", description="which faces of a pair are shrunk")
    batch: int = Field(default=64, ge=1, description="faces per batch")


def _embedded(
    faces: np.ndarray, see: Callable[[Tensor], Tensor], embedder: Embedder, settings: PairSettings, who: str
) -> Float[Tensor, "n d"]:
    """Embeds faces; with flip, the renormalised sum of a face and its mirror image."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(faces), settings.batch):
            images = see(to_float(faces[start : start + settings.batch]))
            found = checked_embeddings(embedder(images), len(images), who)
            if settings.flip:
                mirrored = checked_embeddings(embedder(images.flip(3)), len(images), who)
                found = F.normalize(found + mirrored)
            parts.append(found)
    return torch.cat(parts)


def evaluate_pair_set(
    pairs: PairSet,
    arm: Arm,
    size: int | None = None,
    *,
    degrade: Degrade = clean,
    settings: PairSettings | None = None,
    device: torch.device | str = "cpu",
) -> FoldAccuracy:
    """Computes the ten-fold accuracy of an arm on a pair set, at HR or with small probes.

    Args:
        pairs: The set.
        arm: Recogniser, and the upscaler of small faces.
        size: Side of the small faces in pixels; None leaves both in HR.
        degrade: How they are made.
        settings: Flip, and whether one face of a pair is small or both.
        device: Where the networks are.

    Raises:
        EvaluationError: Fewer pairs than folds, a size that the arm does not take, or embeddings that are not unit
            rows.
    """
    chosen = settings or PairSettings()
    upscaler = arm.upscaler
    if size is not None and (upscaler is None or not arm.takes(size)):
        raise _broken(
            f"{pairs.name} with {arm.name}", f"{size} px", "a size that the arm takes", "choose another size or arm"
        )

    def high(images: Tensor) -> Tensor:
        return images.to(device)

    def small(images: Tensor) -> Tensor:
        if size is None or upscaler is None:
            return images.to(device)
        return upscaler(degrade(images.to(device), size))

    probes = _embedded(pairs.faces, small, arm.embedder, chosen, arm.name)
    if size is None or chosen.small == "both":
        gallery = probes
    else:
        gallery = _embedded(pairs.faces, high, arm.enrols_with, chosen, arm.name)
    scores = (gallery[pairs.first] * probes[pairs.second]).sum(dim=1).numpy()
    return fold_accuracy(scores, pairs.same, pairs.folds)


@dataclass(frozen=True)
class SearchSet:
    """A gallery and probes of native low resolution, as files.

    Attributes:
        name: What the set is called.
        gallery: Pictures of people who are searched for.
        gallery_subjects: Whose they are.
        distractors: Gallery pictures of nobody in particular.
        mated: Probes of people in the gallery.
        mated_subjects: Whose they are.
        non_mated: Probes of people who are not in the gallery.
    """

    name: str
    gallery: tuple[Path, ...]
    gallery_subjects: tuple[str, ...]
    distractors: tuple[Path, ...]
    mated: tuple[Path, ...]
    mated_subjects: tuple[str, ...]
    non_mated: tuple[Path, ...]


def _pictures(folder: Path, *, needed: bool = True) -> tuple[Path, ...]:
    found = tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES))
    if needed and not found:
        raise _broken(
            f"folder {folder}",
            "no picture in it" if folder.is_dir() else "no such folder",
            "pictures",
            "check the path",
        )
    return found


def _subject(path: Path) -> str:
    """Gives the subject of a file that is named subject_anything."""
    subject, separator, _ = path.stem.partition("_")
    if not separator:
        raise _broken(f"picture {path}", path.name, "subject_number, as published", "keep the published names")
    return subject


def _search_set(
    name: str, gallery: Sequence[Path], distractors: Sequence[Path], mated: Sequence[Path], non_mated: Sequence[Path]
) -> SearchSet:
    subjects = {_subject(path) for path in gallery}
    missing = [path.name for path in mated if _subject(path) not in subjects]
    if missing:
        raise _broken(
            name, f"{len(missing)} mated probes without gallery picture ({missing[0]})", "none", "check the folders"
        )
    return SearchSet(
        name,
        tuple(gallery),
        tuple(_subject(path) for path in gallery),
        tuple(distractors),
        tuple(mated),
        tuple(_subject(path) for path in mated),
        tuple(non_mated),
    )


def read_tinyface(root: Path) -> SearchSet:
    """Reads TinyFace's test set: Testing_Set/{Gallery_Match, Gallery_Distractor, Probe}, files subject_number.

    Cheng, Zhu, Gong, "Low-resolution face recognition", ACCV 2018.

    Raises:
        EvaluationError: A folder is missing or empty, or a probe has nobody in the gallery.
    """
    base = root / "Testing_Set" if (root / "Testing_Set").is_dir() else root
    distractors = _pictures(base / "Gallery_Distractor", needed=False)
    return _search_set("tinyface", _pictures(base / "Gallery_Match"), distractors, _pictures(base / "Probe"), ())


def read_survface(root: Path) -> SearchSet:
    """Reads SurvFace's identification test: {gallery, mated_probe, unmated_probe}, files subject_camera_name.

    Cheng, Zhu, Gong, "Surveillance face recognition challenge", arXiv 1804.09691, 2018.

    Raises:
        EvaluationError: A folder is missing or empty, or a mated probe has nobody in the gallery.
    """
    inner = root / "Face_Identification_Test_Set"
    base = inner if inner.is_dir() else root
    mated, non_mated = _pictures(base / "mated_probe"), _pictures(base / "unmated_probe")
    return _search_set("survface", _pictures(base / "gallery"), (), mated, non_mated)


def read_small(path: Path, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Reads a small picture of any shape as size x size, area-averaged down or bicubic up.

    Raises:
        EvaluationError: No picture.
    """
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise _broken(f"picture {path}", "no picture", "JPEG or PNG", "fetch it again")
    method = cv2.INTER_AREA if min(decoded.shape[:2]) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), (size, size), interpolation=method))


def search_set(
    faces: SearchSet,
    arm: Arm,
    size: int,
    *,
    batch: int = 64,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Identification, Float[np.ndarray, " n"]]:
    """Searches all probes of a set; gallery and probes are small, so both take the arm's way.

    Args:
        faces: The set.
        arm: Upscaler and recogniser.
        size: Side to which every picture is brought, in pixels.
        batch: Faces per batch.
        device: Where the networks are.
        progress: Told (pictures done, all pictures).

    Returns:
        What was found for the mated probes (see `lrface.metrics.identification`), and the best score of each
        non-mated probe.

    Raises:
        EvaluationError: An arm without upscaler, a size that it does not take, a broken picture.
    """
    upscaler = arm.upscaler
    if upscaler is None or not arm.takes(size):
        raise _broken(f"{faces.name} with {arm.name}", f"{size} px", "an upscaler that takes it", "choose another size")
    total = len(faces.gallery) + len(faces.distractors) + len(faces.mated) + len(faces.non_mated)
    done = 0

    def embedded(paths: Sequence[Path]) -> Tensor:
        nonlocal done
        parts = []
        with torch.inference_mode():
            for start in range(0, len(paths), batch):
                chosen = paths[start : start + batch]
                images = to_float(np.stack([read_small(path, size) for path in chosen])).to(device)
                parts.append(checked_embeddings(arm.embedder(upscaler(images)), len(chosen), arm.name))
                done += len(chosen)
                if progress is not None:
                    progress(done, total)
        return torch.cat(parts) if parts else torch.empty(0)

    names = list(dict.fromkeys(faces.gallery_subjects))
    number = {name: place for place, name in enumerate(names)}
    own = embedded(faces.gallery)
    sums = torch.zeros(len(names), own.shape[1])
    templates = F.normalize(sums.index_add(0, torch.tensor([number[name] for name in faces.gallery_subjects]), own))
    if faces.distractors:
        templates = torch.cat([templates, embedded(faces.distractors)])
    mates = torch.tensor([number[name] for name in faces.mated_subjects])
    found = search(embedded(faces.mated), templates, mates)
    if not faces.non_mated:
        return found, np.empty(0, np.float32)
    strangers = embedded(faces.non_mated)
    return found, search(strangers, templates, torch.full((len(strangers),), -1)).best
