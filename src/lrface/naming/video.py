"""Names for everybody in a film: each face is followed through it, and its pictures are one probe."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from lrface.data.faces.crowd import Crowd, Seen
from lrface.images.annotate import Label, annotated
from lrface.naming.asked import Asked
from lrface.naming.film import Film, written
from lrface.naming.gallery.entry import UNKNOWN
from lrface.naming.namer import Named, Namer
from lrface.naming.photograph import words_of
from lrface.naming.settings import FilmSettings
from lrface.naming.track import tracks
from lrface.naming.tracker import Box, Track, Tracker, overlaps, thinned

Tick = Callable[[int, int], None]
COLUMNS = (
    *("track", "from", "to", "from_seconds", "to_seconds", "frames", "pictures", "side"),
    *("name", "score", "margin", "threshold", "rate", "kind", "note"),
)
_SAME = 0.3
_OFTEN = 0.3
"""Share of the frames of a track in which its face has to be seen: what only looks like one is seen now and then."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A face that was followed through a film.

    Attributes:
        number: From 1, in the order of appearance.
        frames: Numbers of the frames in which it was seen, rising.
        boxes: Where, pixels.
        side: Median side of the pictures that it is named by, pixels.
        pictures: How many these are.
        named_as: Side that the threshold is for, pixels: of a single face that tells as much as they do together.
        embedding: Their pooled one, of unit length.
    """

    number: int
    frames: Sequence[int]
    boxes: Sequence[Box]
    side: float
    pictures: int
    named_as: float
    embedding: Float[np.ndarray, " d"]


@dataclass(frozen=True, eq=False)
class Watched:
    """What was seen in a film.

    Attributes:
        tracks: The faces, in the order of appearance.
        frames: How many frames were read.
        beyond: Most faces that one frame had beyond those that are taken.
        fleeting: How many faces were left out since they were seen in too few frames.
        cut: In words, that the film is shorter than it claims; empty where it is not.
    """

    tracks: tuple[Followed, ...]
    frames: int
    beyond: int
    fleeting: int
    cut: str

    @property
    def notes(self) -> list[str]:
        """What is to be known of the search, a sentence each."""
        told = [self.cut] if self.cut else []
        if self.beyond:
            told.append(f"up to {self.beyond} faces of a frame were left out: only the largest are taken")
        if self.fleeting:
            told.append(f"{self.fleeting} faces were left out that were seen in too few of their frames")
        return told


@dataclass(frozen=True, eq=False)
class NamedTrack:
    """A face of a film and whom it shows."""

    track: Followed
    named: Named

    def row(self, rate: float) -> dict[str, object]:
        """The track as a row of a table, with the columns of `COLUMNS`; `rate` is that of the frames."""
        first, last = self.track.frames[0], self.track.frames[-1]
        cosines = {
            name: None if (value := getattr(self.named, name)) is None else round(value, 3)
            for name in ("score", "margin", "threshold")
        }
        return {
            "track": self.track.number,
            "from": first,
            "to": last,
            "from_seconds": round(first / rate, 2),
            "to_seconds": round(last / rate, 2),
            "frames": len(self.track.frames),
            "pictures": self.track.pictures,
            "side": round(self.track.side, 1),
            "name": self.named.name,
            **cosines,
            "rate": self.named.rate,
            "kind": self.named.kind,
            "note": self.named.note,
        }


def watch(film: Film, crowd: Crowd, namer: Namer, settings: FilmSettings, tick: Tick) -> Watched:
    """Follow every face through a film, and embed what is kept of each as soon as it is gone.

    Every `settings.every` frames the whole frame is searched; in between a face is looked for where it should be, which
    costs a hundredth of that.

    Args:
        film: The film.
        crowd: Finds faces.
        namer: Embeds them.
        settings: How they are followed.
        tick: Told of each frame that was read, and how many there may be.
    """
    tracker = Tracker(settings.overlap, settings.gap, settings.pictures)
    done: list[Followed] = []
    frames = beyond = fleeting = 0

    def close(tracks: Sequence[Track]) -> None:
        nonlocal fleeting
        for track in tracks:
            if len(track.frames) < max(settings.shortest, _OFTEN * (track.frames[-1] - track.frames[0] + 1)):
                fleeting += 1
            else:
                done.append(_followed(track, namer, settings.pictures))

    for number, frame in enumerate(film.frames()):
        whole = number % settings.every == 0
        if whole:
            found = crowd.find(frame)
            faces, beyond = list(found.faces), max(beyond, found.beyond)
        else:
            near = [crowd.again(frame, track.where(number)[1]) for track in tracker.live]
            faces = _distinct([face for face in near if face is not None])
        close(tracker.step(number, faces, begins=whole))
        frames = number + 1
        tick(frames, max(film.claimed, frames))
    close(tracker.end())
    return Watched(tuple(sorted(done, key=lambda track: track.number)), frames, beyond, fleeting, film.cut(frames))


def name_tracks(namer: Namer, tracks: Sequence[Followed], asked: Asked) -> list[NamedTrack]:
    """Say whom each face of a film shows.

    Raises:
        ConfigError: A rate was asked for that nothing can tell.
        DataError: There is no gallery.
        WeightsError: The gallery is of another recogniser.
    """
    if not tracks:
        return []
    embeddings = np.stack([track.embedding for track in tracks])
    named = namer.name_embedded(embeddings, [track.named_as for track in tracks], asked)
    return [NamedTrack(track, found) for track, found in zip(tracks, named, strict=True)]


def write_annotated(film: Film, named: Sequence[NamedTrack], path: Path, codec: str, tick: Tick) -> None:
    """Write a film with boxes and names, beside its place and renamed when it is whole.

    Args:
        film: The film.
        named: Its faces.
        path: Where it is to be.
        codec: Its four letters.
        tick: Told of each frame that was written, and how many there may be.

    Raises:
        ConfigError: OpenCV cannot write that codec.
    """
    labels = _labels(named)
    with written(path, codec, film.rate, (film.width, film.height)) as writer:
        for number, frame in enumerate(film.frames()):
            drawn = annotated(frame, labels.get(number, []))
            writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            tick(number + 1, max(film.claimed, number + 1))


def _labels(named: Sequence[NamedTrack]) -> dict[int, list[Label]]:
    """By frame, the boxes and words to draw; a face that was away for some frames is drawn on a straight line."""
    labels: defaultdict[int, list[Label]] = defaultdict(list)
    for item in named:
        track, found = item.track, item.named
        words = f"{track.number}: {words_of(found.name, found.score, track.side)}"
        for frame, box in _path(track):
            labels[frame].append(Label(box, words, found.name != UNKNOWN))
    return labels


def _path(track: Followed) -> Iterator[tuple[int, Box]]:
    boxes = np.asarray(track.boxes)
    for frame in range(track.frames[0], track.frames[-1] + 1):
        left, top, width, height = (float(np.interp(frame, track.frames, boxes[:, column])) for column in range(4))
        yield frame, (left, top, width, height)


def _followed(track: Track, namer: Namer, most: int) -> Followed:
    pictures = track.pictures
    while len(pictures) > most:
        pictures = thinned(pictures)
    sides = [picture.side for picture in pictures]
    faces = namer.sized([picture.pixels for picture in pictures], sides)
    embeddings = namer.embed([face.pixels for face in faces])
    (probe,) = tracks(embeddings, [face.side for face in faces], [track.number] * len(faces))
    return Followed(
        number=track.number,
        frames=track.frames,
        boxes=track.boxes,
        side=float(np.median(sides)),
        pictures=len(pictures),
        named_as=probe.side,
        embedding=probe.embedding,
    )


def _distinct(faces: Sequence[Seen]) -> list[Seen]:
    """Faces each once: two tracks may have found the same one where they should be."""
    kept: list[Seen] = []
    for face in sorted(faces, key=lambda face: -face.sure):
        if not kept or overlaps([face.box], [other.box for other in kept]).max() < _SAME:
            kept.append(face)
    return kept
