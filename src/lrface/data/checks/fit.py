"""Checks of how pictures came to their faces: what makes a wrong face of a right picture."""

from collections import Counter
from collections.abc import Callable, Sequence

from lrface.data.checks.findings import Collector
from lrface.data.faces.fit import Fit
from lrface.data.settings import CheckSettings, FindingKind
from lrface.images.alignment import FACE_SIZE

_DETECTOR = (
    "set data.read.align.detector.weights=download (or the path of YuNet's weights), data.read.align.mode=none where"
    " the pictures are aligned already, or data.read.align.mode=centre where the face fills them"
)
_COLUMNS = "x1,y1 ... x5,y5"
_FEW = 10
_CORNER = 0.55


def doubt(fit: Fit, width: int, height: int, settings: CheckSettings) -> str:
    """Says in words why the face of one picture may be a wrong one; empty where nothing speaks for that."""
    if fit.method == "middle" and _is_photograph(width, height, settings):
        return f"a photograph of {width}x{height}, and no detector to find the face in it"
    return f"{fit.faces} faces, of which one was taken" if fit.faces > 1 else ""


def check_fits(
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    fits: Sequence[Fit | None],
    settings: CheckSettings,
    collect: Collector,
) -> None:
    """Looks for pictures with several faces, unaligned photographs, impossible landmarks and faces that are too small.

    Args:
        names: The files.
        sizes: Width and height of each.
        fits: How each came to its face; None where it came as a face.
        settings: The bounds.
        collect: Takes the findings.
    """
    rows = [(name, size, fit) for name, size, fit in zip(names, sizes, fits, strict=True) if fit is not None]
    _check_several([(name, fit) for name, _, fit in rows], collect)
    _check_unaligned([(name, size) for name, size, fit in rows if fit.method == "middle"], settings, collect)
    _check_landmarks([row for row in rows if row[2].method in ("landmarks", "yunet")], settings, collect)
    small = sorted((fit.side, name) for name, _, fit in rows if fit.side < FACE_SIZE - 0.5)
    if small:
        message = (
            f"{len(small)} of {len(names)} faces are smaller in their picture than the {FACE_SIZE} pixels that they"
            f" stand for, the smallest {small[0][0]:.0f}: they show a super-resolver nothing to restore"
        )
        remedy = "give larger pictures, or leave these out"
        collect.add("enlarged", len(small), message, [f"{name} ({side:.0f})" for side, name in small], remedy)


def _check_several(rows: Sequence[tuple[str, Fit]], collect: Collector) -> None:
    several = sorted(((fit.rival, fit.faces, name) for name, fit in rows if fit.faces > 1), key=lambda row: -row[0])
    collect.add(
        "several_faces",
        len(several),
        f"{len(several)} pictures with several faces, of which one was taken",
        [f"{name} ({faces} faces, the next {rival:.0%} of the chosen one's area)" for rival, faces, name in several],
        "look at these; data.read.align.detector.choose is largest, central, score or refuse",
    )


def _check_unaligned(rows: Sequence[tuple[str, tuple[int, int]]], settings: CheckSettings, collect: Collector) -> None:
    plain = [(f"{name} ({width}x{height})", _is_photograph(width, height, settings)) for name, (width, height) in rows]
    photographs = [name for name, is_one in plain if is_one]
    collect.add(
        "photographs",
        len(photographs),
        f"{len(photographs)} photographs, and no detector to find the faces in them",
        photographs,
        _DETECTOR,
    )
    others = [name for name, is_one in plain if not is_one]
    message = (
        f"{len(others)} pictures are neither {FACE_SIZE}x{FACE_SIZE} nor have landmarks: their middle square was taken,"
        " which is right only where the face fills it"
    )
    collect.add("middle", len(others), message, others, _DETECTOR)


def _is_photograph(width: int, height: int, settings: CheckSettings) -> bool:
    shorter, longer = sorted((width, height))
    return shorter > settings.photograph_side or longer > settings.photograph_ratio * shorter


def _check_landmarks(
    rows: Sequence[tuple[str, tuple[int, int], Fit]], settings: CheckSettings, collect: Collector
) -> None:
    bounds: dict[str, Callable[[Fit, int], bool]] = {
        f"residual over {settings.landmark_residual:g} pixels": lambda fit, _: (
            fit.residual > settings.landmark_residual
        ),
        f"turned by over {settings.landmark_angle:g} degrees": lambda fit, _: abs(fit.angle) > settings.landmark_angle,
        f"over {settings.landmark_outside:.0%} outside the picture": lambda fit, _: (
            fit.outside > settings.landmark_outside
        ),
        f"a face under {settings.face_side_min:g} pixels": lambda fit, _: fit.side < settings.face_side_min,
        f"a face over {settings.face_side_max:g} times the picture": lambda fit, longer: (
            fit.side > settings.face_side_max * longer
        ),
    }
    reasons, guesses, wrong = Counter[str](), Counter[str](), []
    given = False
    for name, size, fit in rows:
        broken = [reason for reason, is_beyond in bounds.items() if is_beyond(fit, max(size))]
        if broken:
            wrong.append(f"{name} ({broken[0]})")
            reasons.update(broken)
            guesses[_as_if(fit, settings)] += 1
            given |= fit.method == "landmarks"
    if wrong:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        likely = guesses.most_common(1)[0][0]
        as_if = f"; as if {likely}" if likely else ""
        message = f"{len(wrong)} of {len(rows)} faces by landmarks that are none of a face ({why}){as_if}"
        kind: FindingKind = "landmark_columns" if given and len(wrong) > len(rows) / 2 else "landmarks"
        where = f"look at the columns {_COLUMNS}: eyes, nose, mouth corners, left of the picture first, in its pixels"
        collect.add(kind, len(wrong), message, wrong, where if given else "look at these, or leave them out")
    listed = [(name, fit) for name, _, fit in rows if fit.method == "landmarks"]
    corner = [name for name, fit in listed if fit.reach < _CORNER]
    if len(listed) >= _FEW and len(corner) == len(listed):
        message = f"the landmarks of all {len(corner)} pictures lie in their upper left corner: of smaller pictures?"
        collect.add("landmarks", len(corner), message, corner, f"look at the columns {_COLUMNS}")


def _as_if(fit: Fit, settings: CheckSettings) -> str:
    if fit.guess:
        return fit.guess
    if fit.outside > settings.landmark_outside:
        return "they were of a larger picture"
    return "they were shares of the picture" if fit.side < settings.face_side_min else ""
