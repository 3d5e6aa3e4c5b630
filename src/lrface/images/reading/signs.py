"""What a file is that is no picture for us, by its first bytes: the cause, in place of a shrug."""

import re
from dataclasses import dataclass
from typing import Final

BEGINNING: Final = 512
"""How many first bytes are looked at."""
_AS_JPEG: Final = "export it as JPEG or PNG"
_FETCH: Final = "fetch the picture itself"


@dataclass(frozen=True)
class Sign:
    """What a file is.

    Attributes:
        what: In words.
        kind: Short name to count by: ``unsupported`` where it is a picture, ``broken`` where it is none.
        remedy: What to do about it.
    """

    what: str
    kind: str = "unsupported"
    remedy: str = _AS_JPEG


def _no_picture(what: str, remedy: str = "replace or remove it") -> Sign:
    return Sign(what, "broken", remedy)


_SIGNS: Final[tuple[tuple[int, bytes, Sign], ...]] = (
    *((4, b"ftyp" + brand, Sign("a HEIC picture")) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc")),
    *((4, b"ftyp" + brand, Sign("a HEIF picture")) for brand in (b"mif1", b"msf1", b"mif2")),
    (4, b"ftypavif", Sign("an AVIF picture that does not decode")),
    (4, b"ftypavis", Sign("an AVIF animation")),
    (4, b"ftyp", _no_picture("a video")),
    (8, b"AVI ", _no_picture("a video")),
    (0, b"\xff\x0a", Sign("a JPEG XL picture")),
    (0, b"\0\0\0\x0cJXL ", Sign("a JPEG XL picture")),
    (0, b"8BPS", Sign("a Photoshop document")),
    (0, b"v/1\x01", Sign("an OpenEXR picture")),
    (0, b"#?", Sign("a Radiance HDR picture")),
    (0, b"P7\n", Sign("a PAM picture")),
    (0, b"PF\n", Sign("a PFM picture in colour")),
    (0, b"\x59\xa6\x6a\x95", Sign("a Sun raster")),
    (0, b"FUJIFILMCCD-RAW", Sign("a camera's raw file")),
    (0, b"II*\0", Sign("a TIFF, or a camera's raw file, of a kind that is not read")),
    (0, b"MM\0*", Sign("a TIFF, or a camera's raw file, of a kind that is not read")),
    (0, b"II+\0", Sign("a BigTIFF of a kind that is not read")),
    (0, b"\xff\xd8", _no_picture("a JPEG that is damaged at its beginning")),
    (0, b"\x89PNG", _no_picture("a PNG that is damaged at its beginning")),
    (0, b"GIF8", _no_picture("a GIF that is damaged at its beginning")),
    (0, b"\0\5\x16\7", _no_picture("what macOS keeps beside a file (AppleDouble)")),
    (0, b"\x93NUMPY", Sign("a NumPy array")),
    (0, b"\x89HDF", Sign("an HDF5 file")),
    (0, b"%PDF", Sign("a PDF")),
    (0, b"PK\x03\x04", _no_picture("a ZIP archive", "unpack it")),
    (0, b"\x1f\x8b", _no_picture("a gzip archive", "unpack it")),
    (0, b"version https://git-lfs", _no_picture("a pointer of Git LFS in place of the file", "fetch it: git lfs pull")),
)
_MARKUP: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|\?xml|svg|head|body)", re.IGNORECASE)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_\-\r\n]{40,}=*\s*")


def sign_of(beginning: bytes) -> Sign | None:
    """Tells what a file is that Pillow does not know, by its first bytes; None where nothing tells.

    Args:
        beginning: The first ``BEGINNING`` bytes.
    """
    for place, sign, meaning in _SIGNS:
        if beginning[place:].startswith(sign):
            return meaning
    if not beginning.strip(b"\0"):
        return _no_picture("nothing but zeros, as a file that was not copied whole", "copy it again")
    if markup := _MARKUP.match(beginning):
        if b"svg" in beginning[markup.start() :].lower():
            return Sign("an SVG drawing")
        return _no_picture("a web page, as a download that was refused", _FETCH)
    if _BASE64.fullmatch(beginning):
        return _no_picture("base64 text in place of the picture's bytes", "decode it once more")
    if beginning.isascii() and beginning.decode().replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return _no_picture(f"text ({' '.join(beginning[:40].decode().split())!r})", _FETCH)
    return None
