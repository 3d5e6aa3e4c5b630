"""Galleries in and out of files."""

from pathlib import Path

from lrface.errors import DataError
from lrface.naming.gallery.file import FileGallery
from lrface.naming.gallery.gallery import Gallery


def export_gallery(gallery: Gallery, path: Path) -> int:
    """Write everybody to a new Parquet file, which is itself a gallery; return how many they are.

    What a person has declared compatible is not carried over: it is to be declared anew.

    Raises:
        DataError: There is no gallery, or the file is there already.
    """
    about, entries = gallery.about(), gallery.entries()
    if about is None:
        raise DataError(f"gallery {gallery.place}", got="none there yet", expected="a gallery", remedy="enrol first")
    if path.exists():
        raise DataError(f"export to {path}", got="a file that is there", expected="a new file", remedy="name another")
    _target(path).insert(entries, about)
    return len(entries)


def import_gallery(gallery: Gallery, path: Path) -> int:
    """Take in everybody from a file that ``export_gallery`` wrote; return how many they are.

    Raises:
        DataError: The file is missing or damaged, or holds somebody who is there already.
        WeightsError: Other weights made it.
    """
    source = _target(path)
    about, entries = source.about(), source.entries()
    if about is None:
        raise DataError(f"import of {path}", got="no such file", expected="an exported gallery", remedy="correct it")
    gallery.insert(entries, about)
    return len(entries)


def _target(path: Path) -> FileGallery:
    if path.suffix != ".parquet":
        raise DataError(f"file {path}", got=f"suffix {path.suffix!r}", expected=".parquet", remedy="name such a file")
    return FileGallery(path)
