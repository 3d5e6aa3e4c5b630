"""Copies a pack to another folder, whole or not at all."""

import shutil
from pathlib import Path

from lrface.data.pack.pack import Pack, open_pack
from lrface.data.pack.partial import PartialFolder
from lrface.data.pack.writer import check_target
from lrface.errors import DataError


def copy_pack(pack: Pack, target: Path | str) -> Pack:
    """Copies a pack in place of another that may be there; nothing of that one is left between its files.

    Args:
        pack: A pack in a folder.
        target: The folder that is to become the copy: new, empty, or a pack.

    Returns:
        The copy.

    Raises:
        DataError: Something that is no pack is in the way, or nothing can be written.
    """
    place = Path(target).absolute()
    if place.resolve() == pack.root.resolve():
        return pack
    check_target(place)
    folder = PartialFolder(place)
    try:
        shutil.copytree(pack.root, folder.path, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        folder.discard()
        got = getattr(error, "strerror", None) or str(error)
        expected = "a disk that can be written, with room enough"
        raise DataError(f"copy {place}", got=got, expected=expected, remedy="make room or choose another") from error
    folder.commit()
    return open_pack(place)
