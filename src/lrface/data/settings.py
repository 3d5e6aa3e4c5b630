"""The kinds of source a job can be given, and how their files become faces, are split and are checked."""

from typing import Annotated, Literal

from pydantic import Field

from lrface.base.settings import Settings
from lrface.engines.settings import ClusterSettings
from lrface.images.settings import BRIGHT, DARK, FLAT, ProceduralSettings

MULTI_PIE = r"(?P<subject>\d{3})_\d{2}_\d{2}_\d{3}_\d{2}"


class DetectorSettings(Settings):
    """How faces are looked for."""

    weights: str = Field(
        "",
        description="Path of the YuNet weights (.onnx); download: those of OpenCV's zoo, fetched once and checked by "
        "their hash; empty where there is no detector.",
    )
    sha256: str = Field("", description="What the weights must hash to; not checked where empty.")
    score: float = Field(0.6, description="Least score of a face.", gt=0, lt=1)
    overlap: float = Field(0.3, description="Overlap (IoU) from which on two boxes are one face.", gt=0, lt=1)
    enlarge_below: int = Field(
        40,
        description="Images whose shorter side is below this are enlarged by a whole factor, pixels.",
        ge=1,
    )
    sides: tuple[int, ...] = Field(
        (960, 320),
        description="Larger images are searched once for each of these, shrunk to this longer side, pixels: the"
        " network misses faces of many hundred pixels.",
        min_length=1,
    )
    first_look: bool = Field(
        True,
        description="Look at a small copy of the image first, and take a face that is alone there, large and clear;"
        " if there is none, or choose is not largest, all sizes are searched.",
    )
    first_score: float = Field(
        0.8, description="Least score of a face that is taken without searching all sizes.", gt=0, lt=1
    )
    margin: int = Field(
        60,
        description="Border repeated around the image, as a face that fills it is hard to find, pixels.",
        ge=0,
    )
    choose: Literal["largest", "central", "score", "refuse"] = Field(
        "largest",
        description="Which of several faces: the largest, the one nearest to the middle, the one with the highest"
        " score, or none, as the picture is refused; pictures with several are told either way.",
    )


class CrowdSettings(Settings):
    """How every face of a photograph is looked for."""

    smallest: float = Field(
        10.0,
        description="Side of the smallest faces that are looked for, pixels of the photograph: it is enlarged so that "
        "they have 30. At that side about nine of ten are found.",
        ge=8,
        le=112,
    )
    most: int = Field(
        50, description="Most faces of one picture; of more the largest are taken, and that is told.", ge=1, le=1000
    )
    megapixels: float = Field(
        32.0,
        description="Most pixels of the enlarged photograph, in millions: a larger one is enlarged less, and it is "
        "told how small a face may be then.",
        gt=0,
        le=1000,
    )
    hint: float = Field(
        0.05,
        description="Score from which on something is looked at again, alone and enlarged; then the score of the "
        "detector decides.",
        gt=0,
        lt=1,
    )


class AlignSettings(Settings):
    """How an image becomes an aligned face."""

    mode: Literal["auto", "none", "yunet", "landmarks", "centre"] = Field(
        "auto",
        description="auto: 112x112 as it is, others by landmarks, else YuNet, else centre;"
        " none: aligned already, only resized; yunet; landmarks: from a file; centre: the middle square.",
    )
    detector: DetectorSettings = Field(DetectorSettings(), description="How YuNet looks for faces.")
    robust: bool = Field(
        True, description="Fit by least median of squares: a misplaced landmark does not turn the face."
    )
    on_no_face: Literal["skip", "raise", "centre"] = Field(
        "skip",
        description="Where YuNet finds no face: skip and count the file, stop, or take the middle square.",
    )
    max_yaw: float | None = Field(
        None, description="Leave out faces turned further than this, degrees; needs landmarks.", gt=0, le=90
    )


class ReadSettings(Settings):
    """How files are read and aligned."""

    on_bad_image: Literal["skip", "raise"] = Field(
        "raise",
        description="A broken, empty, too large or otherwise unusable file: skip and count it, or stop.",
    )
    max_pixels: int = Field(
        50_000_000,
        description="Largest image that is decoded, pixels; guards against decompression bombs.",
        ge=1,
    )
    min_side: int = Field(8, description="Smallest side of an image that is taken, pixels.", ge=1)
    workers: int = Field(0, description="Threads that decode; 0 takes one per core.", ge=0)
    cluster: ClusterSettings = Field(ClusterSettings(), description="Machines that read and align in their place.")
    align: AlignSettings = Field(AlignSettings(), description="How an image becomes an aligned face.")


FindingKind = Literal[
    "skipped",
    "subject_lost",
    "small",
    "huge",
    "constant",
    "dark",
    "bright",
    "several_faces",
    "photographs",
    "middle",
    "landmarks",
    "landmark_columns",
    "enlarged",
    "grey_among_colour",
    "all_grey",
    "bgr_suspected",
    "nested",
    "nested_several",
    "single_image",
    "imbalance",
    "duplicate",
    "duplicate_subject",
    "duplicate_split",
    "near_duplicate",
    "near_duplicate_subject",
    "near_duplicate_split",
    "altered_subject",
]


class CheckSettings(Settings):
    """What is checked, and what stops ``prepare``."""

    errors: tuple[FindingKind, ...] = Field(
        (
            "constant",
            "photographs",
            "landmark_columns",
            "nested",
            "duplicate_subject",
            "duplicate_split",
            "near_duplicate_subject",
            "near_duplicate_split",
        ),
        description="Findings that stop prepare; the others are reported.",
    )
    ignore: tuple[FindingKind, ...] = Field((), description="Findings that are not even looked for.")
    near_distance: int = Field(
        4, description="Most bits in which the 64-bit perceptual hashes of near duplicates differ.", ge=0, le=12
    )
    near_correlation: float = Field(
        0.985, description="Least correlation of the thumbnails of near duplicates.", gt=0, le=1
    )
    small_side: int = Field(24, description="Files with a shorter side are reported as small, pixels.", ge=1)
    huge_pixels: int = Field(20_000_000, description="Files with more are reported as huge, pixels.", ge=1)
    constant_contrast: float = Field(
        FLAT, description="Faces whose grey levels have a smaller standard deviation are constant, 0 to 255.", ge=0
    )
    dark_level: float = Field(DARK, description="Faces with a lower mean level are nearly black, 0 to 255.", ge=0)
    bright_level: float = Field(
        BRIGHT, description="Faces with a higher mean level are nearly white, 0 to 255.", le=255
    )
    photograph_side: int = Field(
        300,
        description="Without detector and landmarks, pictures whose shorter side is longer are photographs, pixels.",
        ge=1,
    )
    photograph_ratio: float = Field(
        1.3, description="Likewise, pictures whose longer side is this many times the shorter one.", ge=1
    )
    landmark_residual: float = Field(
        12.0,
        description="Landmarks whose root mean square distance to the template is greater after the best similarity"
        " are none of a face, pixels of 112. YuNet's on 995 real faces: half under 2.9, 99 % under 5.0, all under 8.0;"
        " left and right swapped give 23, x and y swapped 23, the nose first 19, all x before all y 15.",
        gt=0,
    )
    landmark_angle: float = Field(
        60.0,
        description="Likewise where the face is turned by more, degrees; YuNet's: all under 10.",
        gt=0,
    )
    landmark_outside: float = Field(
        0.1,
        description="Likewise where one lies further outside the picture, share of the longer side; YuNet's: none.",
        ge=0,
    )
    face_side_min: float = Field(
        8.0, description="Likewise where the face that they span is smaller, pixels of the picture.", ge=0
    )
    face_side_max: float = Field(
        2.0, description="Likewise where the face that they span is this many times the picture's longer side.", gt=0
    )
    imbalance: float = Field(
        10.0, description="Reported where the largest subject has this many times the median's images.", gt=1
    )
    bgr_warmth: float = Field(
        6.0, description="Faces whose skin has this much more blue than red are counted as BGR, 0 to 255.", ge=0
    )


class SplitSettings(Settings):
    """How subjects and images are dealt out. Counts of subjects go before fractions."""

    seed: int = Field(0, description="Seed of both splits.", ge=0)
    all_test: bool = Field(False, description="Every subject is a test subject, as for a source that is only judged.")
    keep_given: bool = Field(True, description="Keep splits that the source prescribes, if they are sound.")
    val_fraction: float = Field(0.15, description="Share of the subjects for validation.", ge=0, lt=1)
    test_fraction: float = Field(0.15, description="Share of the subjects for the test.", ge=0, lt=1)
    val_subjects: int | None = Field(None, description="Number of validation subjects, in place of the share.", ge=0)
    test_subjects: int | None = Field(None, description="Number of test subjects, in place of the share.", ge=0)
    recognition_val_fraction: float = Field(
        0.2, description="Share of each subject's images for validation.", gt=0, lt=1
    )
    recognition_min_images: int = Field(5, description="Subjects with fewer images are left out of recognition.", ge=2)


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
