"""TinyFace and SurvFace: faces that were small when they were taken, in the folders that their authors publish."""

from collections.abc import Sequence
from pathlib import Path

from lrface.evaluation.public.pictures import broken, pictures_in
from lrface.evaluation.public.sets import SearchSet

TINYFACE_INNER = "Testing_Set"
SURVFACE_INNER = "Face_Identification_Test_Set"


def tinyface_base(root: Path) -> Path:
    """Gives the folder that holds Gallery_Match and Probe."""
    return root / TINYFACE_INNER if (root / TINYFACE_INNER).is_dir() else root


def survface_base(root: Path) -> Path:
    """Gives the folder that holds gallery and mated_probe."""
    return root / SURVFACE_INNER if (root / SURVFACE_INNER).is_dir() else root


def _subject(path: Path) -> str:
    """Gives the subject of a file that is named subject_anything."""
    subject, separator, _ = path.stem.partition("_")
    if not separator:
        raise broken(f"picture {path}", path.name, "subject_number, as published", "keep the published names")
    return subject


def _search_set(
    name: str, gallery: Sequence[Path], distractors: Sequence[Path], mated: Sequence[Path], non_mated: Sequence[Path]
) -> SearchSet:
    subjects = {_subject(path) for path in gallery}
    missing = [path.name for path in mated if _subject(path) not in subjects]
    if missing:
        raise broken(
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


def read_tinyface(root: Path, notes: list[str]) -> SearchSet:
    """Reads TinyFace's test set: Testing_Set/{Gallery_Match, Gallery_Distractor, Probe}, files subject_number.

    Cheng, Zhu, Gong, "Low-resolution face recognition", ACCV 2018.

    Args:
        root: The folder.
        notes: Gets what was left out.

    Raises:
        EvaluationError: A folder is missing or empty, or a probe has nobody in the gallery.
    """
    base = tinyface_base(root)
    distractors = pictures_in(base / "Gallery_Distractor", notes, needed=False)
    gallery, probes = (pictures_in(base / name, notes) for name in ("Gallery_Match", "Probe"))
    return _search_set("tinyface", gallery, distractors, probes, ())


def read_survface(root: Path, notes: list[str]) -> SearchSet:
    """Reads SurvFace's identification test: {gallery, mated_probe, unmated_probe}, files subject_camera_name.

    Cheng, Zhu, Gong, "Surveillance face recognition challenge", arXiv 1804.09691, 2018.

    Args:
        root: The folder.
        notes: Gets what was left out.

    Raises:
        EvaluationError: A folder is missing or empty, or a mated probe has nobody in the gallery.
    """
    base = survface_base(root)
    gallery, mated, non_mated = (
        pictures_in(base / name, notes) for name in ("gallery", "mated_probe", "unmated_probe")
    )
    return _search_set("survface", gallery, (), mated, non_mated)
