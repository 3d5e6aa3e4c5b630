"""A gallery that lives as long as the process: people given as pictures to a program."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from lrface.naming.gallery.entry import Entry, templates
from lrface.naming.gallery.file import FileGallery, _Content
from lrface.naming.gallery.gallery import About


class MemoryGallery(FileGallery):
    """A gallery that is never written anywhere. May be shared between threads."""

    def __init__(self) -> None:
        self.place = "in memory"
        self._held: _Content | None = None
        self._writing = threading.Lock()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._writing:
            yield

    def _content(self) -> _Content | None:
        return self._held

    def _write(self, about: About, entries: Iterable[Entry]) -> None:
        ordered = tuple(sorted(entries, key=lambda entry: entry.name))
        totals = np.stack([entry.total for entry in ordered]) if ordered else np.empty((0, 0))
        self._held = _Content(about, ordered, templates(totals))
