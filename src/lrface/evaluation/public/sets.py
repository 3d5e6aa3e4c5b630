"""What a public set is once it is read: labelled pairs, or a gallery and probes."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8


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
        people: Whose each face is, numbered; shape n. None where the set does not say.
    """

    name: str
    faces: UInt8[np.ndarray, "n 112 112 3"]
    first: Int[np.ndarray, " p"]
    second: Int[np.ndarray, " p"]
    same: Bool[np.ndarray, " p"]
    folds: int = 10
    people: Int[np.ndarray, " n"] | None = None

    @cached_property
    def digest(self) -> str:
        """The sha256 of pixels, pairs and folds."""
        found = hashlib.sha256(np.ascontiguousarray(self.faces).data)
        for values in (self.first, self.second, self.same):
            found.update(np.ascontiguousarray(values, np.int64).data)
        found.update(str(self.folds).encode())
        return found.hexdigest()


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

    @property
    def pictures(self) -> int:
        """Number of pictures."""
        return len(self.gallery) + len(self.distractors) + len(self.mated) + len(self.non_mated)

    @cached_property
    def digest(self) -> str:
        """The sha256 of names and contents of the files, part by part."""
        found = hashlib.sha256()
        for part in (self.gallery, self.distractors, self.mated, self.non_mated):
            found.update(b"part\n")
            for path in part:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found.update(f"{path.parent.name}/{path.name} {content}\n".encode())
        return found.hexdigest()


@dataclass(frozen=True)
class PeopleSet:
    """Aligned faces of many people: of each the first is enrolled, and who has but one is a stranger.

    Attributes:
        name: What the set is called.
        faces: uint8 RGB, n x 112 x 112 x 3, those of a person beside each other.
        owner: Whose each face is, numbered from 0 in that order; shape n.
    """

    name: str
    faces: UInt8[np.ndarray, "n 112 112 3"]
    owner: Int[np.ndarray, " n"]

    @cached_property
    def _alone(self) -> np.ndarray:
        """Whether a face is the only one of its person."""
        return np.asarray(np.bincount(self.owner)[self.owner] == 1)

    @cached_property
    def _first(self) -> np.ndarray:
        """Whether a face is the first of its person."""
        return np.asarray(np.diff(self.owner, prepend=-1) != 0)

    @property
    def enrolled(self) -> Int[np.ndarray, " g"]:
        """Rows of the gallery, one for each person with two faces or more."""
        return np.flatnonzero(self._first & ~self._alone)

    @property
    def mated(self) -> Int[np.ndarray, " m"]:
        """Rows of the probes whose person is enrolled."""
        return np.flatnonzero(~self._first)

    @property
    def mates(self) -> Int[np.ndarray, " m"]:
        """For each such probe the place of its person in the gallery."""
        return np.asarray(np.searchsorted(self.owner[self.enrolled], self.owner[self.mated]))

    @property
    def strangers(self) -> Int[np.ndarray, " s"]:
        """Rows of the probes whose person is not enrolled."""
        return np.flatnonzero(self._alone)

    @cached_property
    def digest(self) -> str:
        """The sha256 of pixels and owners."""
        found = hashlib.sha256(np.ascontiguousarray(self.faces).data)
        found.update(np.ascontiguousarray(self.owner, np.int64).data)
        return found.hexdigest()
