"""From settings to a source."""

from lrface.base.given_paths import given_path
from lrface.data.pack.remote.s3 import is_s3
from lrface.data.settings import (
    AnyImageData,
    CelebaData,
    FlatData,
    FolderData,
    LfwData,
    ListData,
    PairsData,
    ProceduralData,
    RecordsData,
    SplitFoldersData,
)
from lrface.data.source import Source
from lrface.data.sources.flat import FlatSource
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.layouts import PairsSource, SplitsSource
from lrface.data.sources.listed_table import ListSource
from lrface.data.sources.mix import MixSource, Part
from lrface.data.sources.procedural import ProceduralSource
from lrface.data.sources.recordio import RecordSource
from lrface.data.sources.torchvision_sets import CelebaSource, LfwSource
from lrface.errors import ConfigError

DRAWN, FACES = "drawn", "faces"
"""Names of the two parts of a pack that holds drawn faces beside photographs."""


def source_of(data: ProceduralData | AnyImageData) -> Source:
    """The source that settings describe.

    Raises:
        DataError: Its path is missing or of the wrong kind.
        ConfigError: A pattern that cannot be used, or a source on S3.
    """
    if isinstance(data, ProceduralData):
        return ProceduralSource(data.faces)
    source = _images(data)
    if data.drawn is None:
        return source
    drawn = Part(DRAWN, ProceduralSource(data.drawn), superres="train", recognition="none", licence="CC0-1.0")
    return MixSource([Part(FACES, source, licence=data.licence), drawn])


def _images(data: AnyImageData) -> Source:
    if is_s3(data.source):
        raise ConfigError(
            f"source {data.source}",
            got=f"data={data.kind} on S3",
            expected="files on a disk; of what lies on S3 only packs are read",
            remedy="set data=pack where it is a pack, else copy the files to a disk",
        )
    path = given_path(data.source)
    match data:
        case FolderData():
            return FolderSource(path, data.read)
        case FlatData():
            return FlatSource(path, data.read, data.pattern)
        case SplitFoldersData():
            return SplitsSource(path, data.read, data.pattern)
        case PairsData():
            return PairsSource(path, data.read, data.pattern)
        case ListData():
            return ListSource(path, data.read, data.root)
        case RecordsData():
            return RecordSource(path, data.read)
        case LfwData():
            return LfwSource(path, data.read, data.image_set)
        case CelebaData():
            return CelebaSource(path, data.read)
