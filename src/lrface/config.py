"""One typed, frozen schema per job. Unknown keys are refused before anything starts.

A preset or a config file says only what differs from the defaults here.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lrface.base.settings import Settings
from lrface.data.settings import (
    AlignSettings,
    CheckSettings,
    CrowdSettings,
    DataSettings,
    DetectorSettings,
    ProceduralData,
    ReadSettings,
)
from lrface.engines.settings import ClusterSettings
from lrface.evaluation.public.settings import Kind, SearchSettings
from lrface.evaluation.public.settings import PairSettings as PublicPairSettings
from lrface.evaluation.settings import CURVE_SIZES, DecisionSettings, EvaluationSettings, ProtocolSettings
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.images.sizes import VLR_MAX, VLR_MIN
from lrface.models.settings import DsrSettings, DsrVariant, OnnxSettings
from lrface.naming.asked import Asked
from lrface.naming.settings import FilmSettings, PointsSettings
from lrface.tracking.settings import TrackingSettings
from lrface.training.losses.settings import DsrLossSettings, MarginSettings
from lrface.training.settings import (
    CoarseSettings,
    CollapseSettings,
    DsrOptimSettings,
    EdgeFaceOptimSettings,
    HeadSettings,
    JointSettings,
    LoopSettings,
    MixSettings,
)

PRETRAINED = "models:/edgeface@pretrained"
DIRECT = "models:/edgeface@direct"
FINETUNED = "models:/edgeface@finetuned"
BASELINE = "models:/dsr@baseline"
CYCLE = "models:/dsr@cycle"
CHAMPION = "models:/lrface@champion"

Cosine = Annotated[float, Field(ge=-1, le=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Side = Annotated[int, Field(ge=8, le=112)]
SmallSide = Annotated[int, Field(ge=8, le=111)]


class JobSettings(Settings):
    """What every job has."""

    seed: int = Field(0, ge=0, lt=2**31, description="seed of every draw")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    out: str | None = Field(
        None, description="folder or s3://bucket/prefix that gets a copy of the job's files; none: the tracker alone"
    )
    tracking: TrackingSettings = TrackingSettings()


class DataJobSettings(JobSettings):
    """What every job on faces has."""

    data: DataSettings = Field(default_factory=ProceduralData)


class StrangerJobSettings(JobSettings):
    """What every job has that also takes recognisers of others."""

    onnx_input: OnnxSettings = OnnxSettings()


class JudgedJobSettings(StrangerJobSettings):
    """What every job has that may ask an independent judge."""

    judge: str = Field(
        "none",
        description="recogniser that takes part in nothing and judges: models:/ URI, path (an ONNX file too), released "
        "name, or none",
    )


class TrainerSettings(Settings):
    """On what a training runs."""

    devices: Literal["all"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        1, description="processes on this machine that share each batch, a GPU each; all: as many as there are GPUs"
    )


class PrepareSettings(DataJobSettings):
    """`prepare`: any source of faces to a pack."""


class EdgeFaceSource(Settings):
    """Where a recogniser comes from."""

    weights: str = Field(
        "none",
        description="drawn (they come with the package), path, released name, models:/ URI, or none: then trained "
        "from nothing",
    )
    variant: str | None = Field(None, description="size of EdgeFace; none: the one that the weights fit, else xxs")
    allow_missing: tuple[str, ...] = Field(
        (), description="globs of keys that the weights may lack and that start anew"
    )
    licence: str | None = Field(None, description="licence of the weights; none: as recorded or unknown")


class PretrainSettings(DataJobSettings):
    """`pretrain`: a recogniser to start from, loaded or trained on HR faces."""

    edgeface: EdgeFaceSource = EdgeFaceSource()
    layer_scale: float = Field(
        0.1, gt=0, le=1, description="start of EdgeNeXt's layer scale, when trained from nothing"
    )
    loop: LoopSettings = LoopSettings(epochs=30, batch_size=64, warmup_epochs=1)
    images_per_epoch: int = Field(0, ge=0, description="faces in an epoch, 0 for each face once")
    optim: EdgeFaceOptimSettings = EdgeFaceOptimSettings(
        backbone_lr=2e-3, head_lr=1e-2, weight_decay=0.05, clip=5.0, anchor=0.0, hr_tolerance=1.0
    )
    trainer: TrainerSettings = TrainerSettings()
    mix: MixSettings = MixSettings(sr=0.0, bicubic=0.25, hr=0.75)
    coarse: CoarseSettings = CoarseSettings()
    margin: MarginSettings = MarginSettings(scale=16.0, margin=0.1, start="random")
    degradation: DegradationSettings = DegradationSettings(size_min=16)
    augmentation: AugmentationSettings = AugmentationSettings()
    collapse: CollapseSettings = CollapseSettings()


class FinetuneSettings(DataJobSettings):
    """`finetune`: a recogniser on what a super-resolver makes, or on small faces as they are."""

    edgeface: str = Field(PRETRAINED, description="recogniser to start from: models:/ URI, path or released name")
    dsr: str = Field(
        BASELINE,
        description="super-resolver that makes its faces: models:/ URI or model folder; none: bicubic has its share",
    )
    alias: Literal["auto", "finetuned", "direct"] = Field(
        "auto", description="alias of the new version; auto: direct where dsr is none, else finetuned"
    )
    teacher: str = Field(
        "start",
        description="recogniser whose embeddings of HR faces the training stays near: start (the one that it starts "
        "from), models:/ URI, path or released name",
    )
    joint: JointSettings = JointSettings()
    head: HeadSettings = HeadSettings()
    loop: LoopSettings = LoopSettings(epochs=25, batch_size=32)
    images_per_epoch: int = Field(0, ge=0, description="faces in an epoch, 0 for each face once")
    val_people: Literal["known", "unseen"] = Field(
        "known",
        description="whose faces choose the best epoch: other images of the people who are trained on (known), or "
        "those of the validation split, who are then left out of the training (unseen)",
    )
    optim: EdgeFaceOptimSettings = EdgeFaceOptimSettings()
    trainer: TrainerSettings = TrainerSettings()
    mix: MixSettings = MixSettings()
    margin: MarginSettings = MarginSettings()
    degradation: DegradationSettings = DegradationSettings()
    augmentation: AugmentationSettings = AugmentationSettings(geometry=0.3)
    collapse: CollapseSettings = CollapseSettings()
    on_nan: Literal["stop", "retry"] = Field(
        "stop", description="when an epoch is not finite: stop, or try again with gentler settings"
    )
    retries: int = Field(3, ge=1, le=10, description="most tries again")
    tuned_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the fine-tuned weights in what is registered, the rest being those of back_to; 0.5 "
        "keeps more of what that one could do on other people and other kinds of faces",
    )
    back_to: str = Field(
        "start",
        description="recogniser that tuned_share goes a part of the way back to: start (the one that it starts from), "
        "or one that the start was fine-tuned from: models:/ URI, path or released name",
    )
    shown_sizes: tuple[int, ...] = Field(
        (12, 16), min_length=1, description="sides of the probes in the report before and after, in pixels"
    )

    @model_validator(mode="after")
    def _way_back(self) -> Self:
        if self.back_to != "start" and self.tuned_share == 1:
            raise ValueError(f"back_to={self.back_to} with tuned_share=1, which goes no part of the way back; lower it")
        return self


class TrainDsrSettings(JudgedJobSettings, DataJobSettings):
    """`train_dsr`: a super-resolver under a frozen recogniser."""

    edgeface: str = Field(PRETRAINED, description="supervisor: models:/ URI, path or released name")
    supervisors: tuple[str, ...] = Field(
        (), description="more supervisors beside it, by commas: SR faces then please no single one"
    )
    alias: Literal["auto", "baseline", "cycle"] = Field(
        "auto", description="alias of the new version; auto: cycle where the supervisor was fine-tuned, else baseline"
    )
    allow_second_cycle: bool = Field(
        False, description="train although the supervisor was itself fine-tuned on a DSR of cycle 1"
    )
    dsr: DsrVariant = Field("base", description="size of the network: base or edge")
    network: DsrSettings | None = Field(None, description="another size than the variant's, for experiments")
    start: str = Field("none", description="weights to start from: models:/ URI or model folder, or none")
    loop: LoopSettings = LoopSettings(epochs=100, batch_size=16, warmup_epochs=5, patience=20)
    images_per_epoch: int = Field(0, ge=0, description="faces in an epoch, 0 for each face once")
    drawn_share: float = Field(
        0.5, ge=0, lt=1, description="share of an epoch that comes from the pack's drawn faces, where it has any"
    )
    optim: DsrOptimSettings = DsrOptimSettings()
    trainer: TrainerSettings = TrainerSettings()
    loss: DsrLossSettings = DsrLossSettings()
    degradation: DegradationSettings = DegradationSettings()
    augmentation: AugmentationSettings = AugmentationSettings()

    @field_validator("supervisors", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        """Turn `a,b` into a tuple, and `none` into an empty one."""
        return tuple(part for part in value.split(",") if part not in {"", "none"}) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _judged_by_somebody(self) -> Self:
        if self.optim.select == "judge" and self.judge == "none":
            raise ValueError("optim.select=judge needs a judge; say judge=FILE.onnx, or select otherwise")
        return self


class ArmJobSettings(JudgedJobSettings):
    """What every job has that measures arms: (bicubic, each super-resolver) x each recogniser."""

    edgeface: tuple[str, ...] = Field(
        (PRETRAINED,),
        min_length=1,
        description="recognisers: models:/ URI, path (an ONNX file too) or released name, by commas",
    )
    dsr: tuple[str, ...] = Field(
        (), description="super-resolvers: models:/ URI or model folder, by commas; none for bicubic alone"
    )
    direct: str = Field(
        "auto",
        description="recogniser that was shown small faces directly, whose arm bicubic-direct is measured beside the "
        "others: models:/ URI, path, none, or auto: edgeface@direct where it is of the same faces and the same start",
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        """Turn `a,b` into a tuple, and `none` into an empty one."""
        if isinstance(values, dict):
            for key in ("edgeface", "dsr", "source"):
                text = values.get(key)
                if isinstance(text, str):
                    values = {**values, key: tuple(part for part in text.split(",") if part not in {"", "none"})}
        return values


class EvaluateSettings(ArmJobSettings, DataJobSettings):
    """`evaluate`: every arm on people who were in no training."""

    sizes: tuple[Side, ...] = Field((8, 12, 16, 24, 32), min_length=1, description="sides of the probes, in pixels")
    degradations: tuple[str, ...] = Field(("clean",), min_length=1, description="conditions of the probes")
    groups: str = Field(
        "none",
        min_length=1,
        description="CSV with the columns subject and group: false alarms are told by group too; or none",
    )
    protocol: ProtocolSettings = ProtocolSettings()
    measure: EvaluationSettings = EvaluationSettings()


class CurveSettings(EvaluateSettings):
    """`curve`: every arm from 8 to 112 pixels under every condition."""

    sizes: tuple[Side, ...] = Field(CURVE_SIZES, min_length=1, description="sides of the probes, in pixels")
    degradations: tuple[str, ...] = Field(
        ("clean", "blur", "noise", "jpeg", "all", "misaligned"), min_length=1, description="conditions of the probes"
    )
    metric: str = Field("rank1", description="what the curve shows")
    wanted: float = Field(0.9, gt=0, le=1, description="figure for which the smallest size is told")


class VerifySettings(ArmJobSettings):
    """`verify`: every arm on public sets."""

    source: tuple[str, ...] = Field(
        (), description="sets, by commas: .bin of insightface, pairs.txt, pairs.csv, or the folder of a set"
    )
    kind: Kind = Field("auto", description="what the sources are: auto, bin, lfw, table, tinyface, survface or people")
    images: str | None = Field(None, description="folder of the pictures of a list; none: beside the list")
    align: AlignSettings | None = Field(None, description="how photographs are aligned; none: they are already")
    high_resolution: bool = Field(True, description="measure pairs with both faces in HR too")
    sizes: tuple[SmallSide, ...] = Field((8, 12, 16, 24, 32), description="sides of the small faces, in pixels")
    degradation: str = Field("clean", description="condition in which small faces are made")
    pairs: PublicPairSettings = PublicPairSettings()
    search: SearchSettings = SearchSettings()


class SweepSettings(EvaluateSettings):
    """`sweep`: what each threshold would give."""

    size: int = Field(16, ge=8, le=112, description="side of the probes, in pixels")
    false_alarm: float = Field(0.01, gt=0, lt=1, description="share of strangers that may be named")


class PairSettings(Settings):
    """A recogniser and the super-resolver in front of it."""

    edgeface: str = Field(FINETUNED, description="recogniser: models:/ URI, path (an ONNX file too) or released name")
    dsr: str = Field(CYCLE, description="super-resolver: models:/ URI, model folder, or none for bicubic")


class CompareSettings(EvaluateSettings):
    """`compare`: two pairs on the same probes."""

    pair_a: PairSettings = Field(PairSettings(), description="the candidate")
    pair_b: PairSettings = Field(PairSettings(edgeface=PRETRAINED, dsr="none"), description="what it is held against")
    sizes: tuple[Side, ...] = Field((8, 12, 16), min_length=1, description="sides of the probes, in pixels")
    decision: DecisionSettings = DecisionSettings()


class PromoteSettings(EvaluateSettings):
    """`promote`: the pair in place gives way, or a refusal says why not."""

    pair: PairSettings = Field(PairSettings(), description="the candidate")
    sizes: tuple[Side, ...] = Field(
        (8, 12, 16), min_length=1, description="sides of the probes on which the decision stands, in pixels"
    )
    decision: DecisionSettings = DecisionSettings()
    points: PointsSettings = PointsSettings()
    rollback: bool = Field(False, description="put the previous champion back instead")


class ExportSettings(JobSettings):
    """`export`: both networks and the pair as ONNX."""

    edgeface: str = Field(FINETUNED, description="recogniser: models:/ URI, path, released name, or none")
    dsr: str = Field(CYCLE, description="super-resolver: models:/ URI, model folder, or none")
    sizes: tuple[int, ...] = Field(
        (8, 12, 16, 24, 32), min_length=1, description="sides at which graphs and networks are compared, in pixels"
    )
    int8: bool = Field(True, description="also write each graph with its matrix products in int8")
    int8_similarity: float = Field(
        0.997, gt=0, lt=1, description="mean cosine of int8 embeddings to float32 ones; what costs more stays float32"
    )
    bench: bool = Field(False, description="measure latency and throughput, in onnxruntime and in torch")
    bench_seconds: float = Field(1.0, gt=0, le=600, description="time to spend on each figure of the bench [s]")

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        wrong = [size for size in self.sizes if not VLR_MIN <= size <= VLR_MAX]
        if wrong:
            raise ValueError(f"sizes {wrong}: the super-resolver takes {VLR_MIN} to {VLR_MAX} pixels")
        return self


class OnePairSettings(StrangerJobSettings):
    """What every job that uses one pair has."""

    pair: str = Field(
        CHAMPION, min_length=1, description="models:/lrface@ALIAS, or a folder that holds edgeface/ and dsr/"
    )
    edgeface: str | None = Field(
        None,
        description="recogniser in the place of the pair's: models:/ URI, path (an ONNX file too) or released name",
    )
    dsr: str | None = Field(
        None, description="super-resolver in the place of the pair's: models:/ URI, model folder, or none for bicubic"
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.edgeface is None) != (self.dsr is None):
            raise ValueError("edgeface and dsr are named both, or neither and the pair instead")
        return self


class NamingJobSettings(OnePairSettings):
    """What every job has that names faces."""

    threshold: Cosine | Literal["auto"] = Field(
        "auto",
        description="cosine from which a face is named, or auto: as the pair's operating points say for its size and "
        "for the rate, and 0.35 where the pair has none",
    )
    fpir: Rate | None = Field(
        None,
        description="share of the searches of strangers that may end in a name; none, without fmr and threshold: 0.01",
    )
    fmr: Rate | None = Field(None, description="share of the comparisons of two people that may pass for one")
    estimate_side: bool = Field(
        True,
        description="whether faces that were enlarged before they came are brought back to their size, which the "
        "threshold is then for; false takes each as it came",
    )

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        _ = self.asked
        return self

    @property
    def asked(self) -> Asked:
        """What a face is named by."""
        return Asked(self.threshold, self.fpir, self.fmr)


class GallerySettings(NamingJobSettings):
    """`gallery`: who can be named."""

    action: Literal["enrol", "list", "remove", "identify", "import", "export", "accept"] = Field(
        "list", description="what to do"
    )
    gallery: str | None = Field(
        None,
        description="path of a .parquet file; none: as LRFACE_GALLERY says (where a PostgreSQL URI belongs), else "
        "mlruns/gallery.parquet",
    )
    source: str | None = Field(
        None,
        min_length=1,
        description="enrol: folder with a folder of pictures per person; identify: a picture, a folder of them or a "
        "film; import and export: a .parquet file",
    )
    probes: Literal["files", "folders"] = Field(
        "files", description="identify: each picture is named by itself, or those of each folder as one unknown person"
    )
    person: str | None = Field(
        None, min_length=1, description="remove: key or name of the person, as `list` shows them"
    )
    detect: bool = Field(
        False,
        description="identify: find and name every face of photographs; otherwise each picture is one face, and of "
        "several the largest. A film is always searched",
    )
    crowd: CrowdSettings = CrowdSettings()
    film: FilmSettings = FilmSettings()
    read: ReadSettings = ReadSettings()
    # The others say something about a training alone.
    checks: CheckSettings = CheckSettings(ignore=("single_image", "imbalance", "all_grey", "enlarged"))


class AppSettings(NamingJobSettings):
    """`app`: the page to try a pair."""

    gallery: str | None = Field(
        None,
        description="path of a .parquet file; none: as LRFACE_GALLERY says, else mlruns/gallery.parquet",
    )
    detector: DetectorSettings = DetectorSettings()
    crowd: CrowdSettings = CrowdSettings()
    host: str = Field(
        "127.0.0.1", min_length=1, description="address to listen on; others than this machine's need a login"
    )
    port: int = Field(7860, ge=1, le=65535, description="port to listen on")


class HyperSearchSettings(JobSettings):
    """`search`: trainings that differ in some keys, and the best of them."""

    job: Literal["pretrain", "finetune", "train_dsr"] = Field("train_dsr", description="the training")
    sampler: Literal["grid", "random", "optuna"] = Field(
        "grid", description="every combination, or as many as `trials` says, at random or as Optuna's TPE chooses"
    )
    trials: int = Field(20, ge=1, le=100_000, description="trials of random and optuna")
    metric: str = Field(
        "tar_at_far_1e-2", min_length=1, description="validation figure of the state that a training keeps"
    )
    direction: Literal["maximize", "minimize"] = Field("maximize", description="which of its values is better")
    cluster: ClusterSettings = Field(ClusterSettings(), description="machines over which the trials are spread")


class MainSettings(JobSettings):
    """`main`: the whole cycle."""

    trainer: TrainerSettings = Field(TrainerSettings(), description="as the trainings of the cycle have it")
    cycles: int = Field(1, ge=1, le=5, description="cycles; more than one only with allow_second_cycle")
    allow_second_cycle: bool = Field(False, description="go round more than once")
    edgeface: str = Field(
        "none",
        description="weights of the first recogniser: drawn (they come with the package), path, released name or "
        "models:/ URI; none: it is trained on the data",
    )
    warm_start: bool = Field(
        True, description="the cycle's super-resolver starts from the baseline's weights, not from nothing"
    )
    direct: bool = Field(
        False,
        description="also fine-tune on small faces alone, with no super-resolver: what the pair has to beat; "
        "order=from_direct does so in any case",
    )
    order: Literal["cycle", "from_direct"] = Field(
        "cycle",
        description="cycle: the baseline is trained under the first recogniser, which is then fine-tuned; from_direct: "
        "under edgeface@direct, which is then fine-tuned, while a copy of it goes on alone for as many faces",
    )

    @model_validator(mode="after")
    def _one_cycle(self) -> Self:
        if self.cycles > 1 and not self.allow_second_cycle:
            raise ValueError(
                f"cycles={self.cycles}: a second cycle has only ever made results worse; "
                "say allow_second_cycle=true to go on"
            )
        return self

    @property
    def with_direct(self) -> bool:
        """Whether a recogniser is fine-tuned on small faces alone."""
        return self.direct or self.order == "from_direct"


SCHEMAS: dict[str, type[JobSettings]] = {
    "main": MainSettings,
    "prepare": PrepareSettings,
    "pretrain": PretrainSettings,
    "finetune": FinetuneSettings,
    "train_dsr": TrainDsrSettings,
    "evaluate": EvaluateSettings,
    "curve": CurveSettings,
    "sweep": SweepSettings,
    "compare": CompareSettings,
    "promote": PromoteSettings,
    "verify": VerifySettings,
    "export": ExportSettings,
    "gallery": GallerySettings,
    "app": AppSettings,
    "search": HyperSearchSettings,
}
