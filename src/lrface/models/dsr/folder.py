"""DSR as a model folder."""

from pathlib import Path

from pydantic import ValidationError

from lrface.errors import WeightsError
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.dsr.network import DSR, VARIANTS
from lrface.models.settings import DsrSettings
from lrface.models.store import ModelSpec, read_model


def dsr_spec(model: DSR, *, licence: str = "unknown") -> ModelSpec:
    """What `write_model` is to say about a network."""
    return ModelSpec(
        kind="dsr",
        variant=model.variant,
        options=model.settings.model_dump(mode="json"),
        input_size=(VLR_MIN, VLR_MAX),
        output_size=FACE_SIZE,
        licence=licence,
    )


def build_dsr(spec: ModelSpec) -> DSR:
    """The network that a spec describes, with weights still to be loaded.

    Raises:
        WeightsError: The spec is of another kind, or describes no DSR.
    """
    try:
        settings = DsrSettings.model_validate(spec.options)
    except ValidationError:
        settings = None
    if spec.kind != "dsr" or spec.variant not in VARIANTS or settings is None:
        raise WeightsError(
            "config of a DSR",
            got=f"{spec.kind} {spec.variant} with options {sorted(spec.options)}",
            expected=f"dsr, one of {', '.join(VARIANTS)}, with {', '.join(DsrSettings.model_fields)}",
            remedy="give the folder of a DSR",
        )
    return DSR(spec.variant, settings)


def load_dsr(folder: Path) -> tuple[DSR, ModelSpec]:
    """Load a super-resolver from its model folder, in evaluation mode on the CPU.

    Raises:
        WeightsError: The folder is missing, broken, or holds something else.
    """
    network, spec = read_model(folder, {"dsr": build_dsr})
    assert isinstance(network, DSR)  # noqa: S101 - the only builder offered makes a DSR
    return network, spec
