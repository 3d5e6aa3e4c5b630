"""Paths as a person gives them."""

from os import PathLike
from pathlib import Path

from lrface.errors import ConfigError

_LONGEST_NAME, _LONGEST = 255, 4095
"""In bytes, of what Linux takes."""


def given_path(text: str | PathLike[str]) -> Path:
    """Give the path that a person means, whose home folder is `~`.

    Raises:
        ConfigError: It begins with the home folder of nobody, or is longer than a path can be.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        got = "a home folder that is nobody's"
        raise ConfigError(f"path {text}", got=got, expected="a path", remedy="write it in full") from error
    lengths = [len(part.encode(errors="surrogateescape")) for part in path.parts]
    if max(lengths, default=0) > _LONGEST_NAME or sum(lengths) + len(lengths) > _LONGEST:
        got = f"{sum(lengths):,} bytes, of which {max(lengths):,} are one name"
        expected = f"at most {_LONGEST:,}, and {_LONGEST_NAME} for a name"
        raise ConfigError(f"path {str(text)[:40]}...", got=got, expected=expected, remedy="correct the path")
    return path
