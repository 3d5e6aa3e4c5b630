"""Small films of drawn faces, and a detector that needs no weights: it finds what is no background."""

from pathlib import Path

import cv2
import numpy as np

from lrface.data.faces.crowd import Found, Seen
from lrface.data.settings import CrowdSettings
from lrface.images.alignment import FACE_SIZE, TEMPLATE
from lrface.images.procedural import draw_identity, draw_nuisance, render

GREY = 20
_APART = 16


def drawn(person: int, picture: int = 0) -> np.ndarray:
    """An aligned face of somebody who does not exist."""
    return np.asarray(render(draw_identity(9, person), draw_nuisance(9, person, picture, 0.1)))


def scene(faces, size=(160, 120)) -> np.ndarray:
    """Faces (pixels, left, top, side) on a grey ground; what lies outside is cut off."""
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    for pixels, left, top, side in faces:
        small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        high, wide = min(side, size[1] - top), min(side, size[0] - left)
        if high > 0 and wide > 0:
            image[top : top + high, left : left + wide] = small[:high, :wide]
    return image


def write_film(path: Path, frames, codec: str = "MJPG", rate: float = 10.0) -> Path:
    """Writes frames (RGB) to a film."""
    frames = list(frames)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


class Blobs:
    """Finds faces on a ground of one level, as `Crowd` finds them in photographs."""

    def __init__(self, detector=None, settings=None) -> None:
        self.settings = settings or CrowdSettings()
        self.searched = 0

    def find(self, image) -> Found:
        self.searched += 1
        found = self._all(image)
        return Found(tuple(found[: self.settings.most]), max(0, len(found) - self.settings.most), 0, 10.0, 10.0)

    def again(self, image, landmarks):
        middle = landmarks.mean(axis=0)
        near = [face for face in self._all(image) if np.abs(face.landmarks.mean(axis=0) - middle).max() < face.side / 2]
        return near[0] if near else None

    def _all(self, image) -> list[Seen]:
        mask = (np.abs(image.astype(int) - GREY).max(axis=2) > _APART).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        return sorted((_seen(image, row) for row in stats[1:] if min(row[2:4]) >= 6), key=lambda face: -face.side)


def _seen(image, row) -> Seen:
    left, top, width, height = (int(value) for value in row[:4])
    side = max(width, height)
    small = side if 8 <= side <= 32 else FACE_SIZE
    pixels = cv2.resize(image[top : top + height, left : left + width], (small, small), interpolation=cv2.INTER_CUBIC)
    landmarks = (TEMPLATE + 0.5) * (side / FACE_SIZE) - 0.5 + [left, top]
    return Seen((float(left), float(top), float(width), float(height)), landmarks, float(side), 0.9, pixels)
