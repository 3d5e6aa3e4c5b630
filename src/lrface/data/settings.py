"""The kinds of source a job can be given."""

from typing import Annotated, Literal

from pydantic import Field

from lrface.data.checks import CheckSettings
from lrface.data.files import ReadSettings
from lrface.data.flat import MULTI_PIE
from lrface.data.splits import SplitSettings
from lrface.images.procedural import ProceduralSettings
from lrface.settings import Settings


class SourceSettings(Settings):
    """What every source has."""

    splits: SplitSettings = SplitSettings()
    checks: CheckSettings = CheckSettings()


class ProceduralData(SourceSettings):
    """Faces of people who do not exist."""

    kind: Literal["procedural"] = "procedural"
    faces: ProceduralSettings = ProceduralSettings()


class ImageData(SourceSettings):
    """What every source of image files has."""

    source: str = Field(min_length=1, description="path of the folder or file")
    read: ReadSettings = ReadSettings()
    drawn: ProceduralSettings | None = Field(
        default=None,
        description="drawn faces beside these, for the super-resolver's training alone; none: no such faces",
    )
    licence: str = Field(default="unknown", description="licence of the faces")
    terms: str = Field(default="", description="what the faces may be used for")


class FolderData(ImageData):
    """A folder of identities: `source/subject/image`."""

    kind: Literal["folder"] = "folder"


class FlatData(ImageData):
    """One folder, the subject in the file's name."""

    kind: Literal["flat"] = "flat"
    pattern: str = Field(default=MULTI_PIE, description="regular expression with a group `subject`")


class SplitFoldersData(ImageData):
    """`source/{train,val,test}`, each a folder of identities or of files."""

    kind: Literal["split_folders"] = "split_folders"
    pattern: str = Field(default=MULTI_PIE, description="regular expression with a group `subject`")


class PairsData(ImageData):
    """`source/{vlr_images,hr_images}`: real VLR images beside HR ones."""

    kind: Literal["pairs"] = "pairs"
    pattern: str = Field(default=MULTI_PIE, description="regular expression with a group `subject`")


class ListData(ImageData):
    """A CSV or Parquet table with the columns `path` and `subject`."""

    kind: Literal["list"] = "list"
    root: str | None = Field(default=None, description="folder that paths start from; none: that of the table")


class RecordsData(ImageData):
    """An insightface training set: `train.rec`."""

    kind: Literal["records"] = "records"


class LfwData(ImageData):
    """LFW as torchvision lays it out."""

    kind: Literal["lfw"] = "lfw"
    image_set: Literal["original", "funneled", "deepfunneled"] = Field(default="funneled", description="which LFW")


class CelebaData(ImageData):
    """CelebA as torchvision lays it out."""

    kind: Literal["celeba"] = "celeba"


class PackData(Settings):
    """A pack that is there already."""

    kind: Literal["pack"] = "pack"
    source: str = Field(min_length=1, description="the pack's folder, or its place on S3: s3://bucket/prefix")
    cache: str | None = Field(
        default=None, description="folder that keeps what came from S3; none: mlruns/cache of the project"
    )
    cache_gb: float = Field(default=50.0, gt=0, description="most that this folder keeps of faces, 10^9 bytes")


AnyImageData = FolderData | FlatData | SplitFoldersData | PairsData | ListData | RecordsData | LfwData | CelebaData

DataSettings = Annotated[ProceduralData | AnyImageData | PackData, Field(discriminator="kind")]
