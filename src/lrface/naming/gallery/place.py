"""From a location to the gallery that lies there."""

from pathlib import Path

from lrface.errors import ConfigError
from lrface.naming.gallery.file import FileGallery
from lrface.naming.gallery.gallery import Gallery

LOCATION = "LRFACE_GALLERY"
"""The environment variable that says where the gallery is: a path, or postgresql://..."""

ENROL = "LRFACE_GALLERY_ENROL"
"""The environment variable that lets requests to a server enrol: true or false."""


def gallery_at(location: str) -> Gallery:
    """Return the gallery at a location; nothing is opened or made yet.

    Args:
        location: Path of a ``.parquet`` file, or a ``postgresql://`` URI.

    Raises:
        ConfigError: The location is neither, or the extra ``postgres`` is not installed.
    """
    if location.startswith(("postgresql://", "postgres://")):
        try:
            from lrface.naming.gallery.postgres import PostgresGallery
        except ModuleNotFoundError as error:
            raise ConfigError(
                "gallery in PostgreSQL",
                got="no package psycopg",
                expected="the extra `postgres`",
                remedy="pip install 'lrface[postgres]', or name a .parquet file",
            ) from error
        return PostgresGallery(location)
    path = Path(location)
    if path.suffix != ".parquet" or "://" in location:
        raise ConfigError(
            "gallery",
            got=repr(location.split("@")[-1]),
            expected="path of a .parquet file, or postgresql://USER@HOST/DATABASE",
            remedy=f"correct {LOCATION}",
        )
    return FileGallery(path)
