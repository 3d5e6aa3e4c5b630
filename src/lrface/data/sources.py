"""The settings of every kind of source, and the one function that opens them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lrface.data.files import ReadSettings
from lrface.data.flat import MULTI_PIE, FlatSource
from lrface.data.folder import FolderSource
from lrface.data.layouts import PairsSource, SplitsSource
from lrface.data.listed import ListSource
from lrface.data.mix import MixSource, Part
from lrface.data.procedural import ProceduralSource
from lrface.data.recordio import RecordSource
from lrface.data.source import Source
from lrface.data.torchvision_sets import CelebaSource, LfwSource
from lrface.images.procedural import ProceduralSettings
from lrface.settings import Settings


class ProceduralKind(Settings):
    """Faces of people who do not exist, drawn from a seed."""

    kind: Literal["procedural"] = "procedural"
    faces: ProceduralSettings = Field(ProceduralSettings(), description="Who is drawn, and how many.")
    workers: int = Field(0, description="Processes that draw; 0 takes one per core.", ge=0)


class _Files(Settings):
    path: str = Field(description="The folder or file to read.", min_length=1)
    read: ReadSettings = Field(ReadSettings(), description="How files are read and aligned.")


class FolderKind(_Files):
    """One folder per subject: ``root/subject/image``."""

    kind: Literal["folder"] = "folder"


class FlatKind(_Files):
    """Images whose names say whose face they show."""

    kind: Literal["flat"] = "flat"
    pattern: str = Field(MULTI_PIE, description="Regular expression with a group `subject`.")


class ListKind(_Files):
    """A CSV or Parquet table of paths and subjects."""

    kind: Literal["list"] = "list"
    root: str | None = Field(None, description="Folder that paths are relative to; the table's own where null.")


class SplitsKind(_Files):
    """Folders ``train``, ``val`` and ``test`` of subjects."""

    kind: Literal["splits"] = "splits"


class PairsKind(_Files):
    """Folders ``vlr_images`` and ``hr_images`` with pairs of the same name."""

    kind: Literal["pairs"] = "pairs"
    pattern: str = Field(MULTI_PIE, description="Regular expression with a group `subject`.")


class RecordKind(_Files):
    """An insightface ``train.rec``."""

    kind: Literal["record"] = "record"


class LfwKind(_Files):
    """Labeled Faces in the Wild."""

    kind: Literal["lfw"] = "lfw"
    image_set: Literal["original", "funneled", "deepfunneled"] = Field("funneled", description="Which images.")


class CelebaKind(_Files):
    """CelebA, aligned and cropped."""

    kind: Literal["celeba"] = "celeba"


SingleKind = Annotated[
    ProceduralKind | FolderKind | FlatKind | ListKind | SplitsKind | PairsKind | RecordKind | LfwKind | CelebaKind,
    Field(discriminator="kind"),
]


class PartSettings(Settings):
    """One source of a mix."""

    source: SingleKind = Field(description="The source.")
    superres: Literal["train", "val", "test"] | None = Field(
        None, description="Put all its subjects here; as the splits say where null."
    )
    recognition: Literal["train", "none"] | None = Field(
        None, description="Put all its images here; as the splits say where null."
    )
    licence: str = Field("", description="Licence of its faces.")


class MixKind(Settings):
    """Several sources in one pack."""

    kind: Literal["mix"] = "mix"
    parts: dict[str, PartSettings] = Field(description="The sources by name.", min_length=1)


SourceSettings = Annotated[
    ProceduralKind
    | FolderKind
    | FlatKind
    | ListKind
    | SplitsKind
    | PairsKind
    | RecordKind
    | LfwKind
    | CelebaKind
    | MixKind,
    Field(discriminator="kind"),
]


def open_source(settings: SourceSettings) -> Source:
    """Opens the source that the settings name.

    Args:
        settings: Which kind, where it is, how it is read.

    Returns:
        The source.

    Raises:
        DataError: It is missing or cannot be used.
        ConfigError: The settings contradict each other.
    """
    if isinstance(settings, MixKind):
        return MixSource(
            [
                Part(name, open_source(part.source), part.superres, part.recognition, part.licence)
                for name, part in settings.parts.items()
            ]
        )
    if isinstance(settings, ProceduralKind):
        return ProceduralSource(settings.faces, settings.workers)
    path = Path(settings.path).expanduser()
    if isinstance(settings, FlatKind):
        return FlatSource(path, settings.read, settings.pattern)
    if isinstance(settings, PairsKind):
        return PairsSource(path, settings.read, settings.pattern)
    if isinstance(settings, ListKind):
        return ListSource(path, settings.read, settings.root)
    if isinstance(settings, LfwKind):
        return LfwSource(path, settings.read, settings.image_set)
    return _PLAIN[settings.kind](path, settings.read)


_PLAIN: dict[str, type[FolderSource | SplitsSource | RecordSource | CelebaSource]] = {
    "folder": FolderSource,
    "splits": SplitsSource,
    "record": RecordSource,
    "celeba": CelebaSource,
}
