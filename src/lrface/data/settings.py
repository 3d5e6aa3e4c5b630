"""The kinds of source a job can be given."""

from typing import Annotated, Literal

from pydantic import Field

from lrface.data.checks import CheckSettings
from lrface.data.files import ReadSettings
from lrface.data.splits import SplitSettings
from lrface.images.procedural import ProceduralSettings
from lrface.settings import Settings


class ProceduralData(Settings):
    """Faces of people who do not exist."""

    kind: Literal["procedural"] = "procedural"
    faces: ProceduralSettings = ProceduralSettings()
    splits: SplitSettings = SplitSettings()
    checks: CheckSettings = CheckSettings()


class FolderData(Settings):
    """A folder of identities: `source/subject/image`."""

    kind: Literal["folder"] = "folder"
    source: str = Field(min_length=1, description="the folder")
    read: ReadSettings = ReadSettings()
    splits: SplitSettings = SplitSettings()
    checks: CheckSettings = CheckSettings()
    drawn: ProceduralSettings | None = Field(
        None, description="drawn faces beside these, for the super-resolver's training alone; none: no such faces"
    )
    licence: str = Field("unknown", description="licence of the faces")
    terms: str = Field("", description="what the faces may be used for")


class PackData(Settings):
    """A pack that is there already."""

    kind: Literal["pack"] = "pack"
    source: str = Field(min_length=1, description="the pack's folder")


DataSettings = Annotated[ProceduralData | FolderData | PackData, Field(discriminator="kind")]
