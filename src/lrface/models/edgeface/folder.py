"""EdgeFace as a model folder."""

from lrface.errors import WeightsError
from lrface.models.edgeface.network import EMBEDDING_SIZE, IMAGE_SIZE, VARIANTS, EdgeFace
from lrface.models.store import ModelSpec


def edgeface_spec(model: EdgeFace, *, licence: str = "unknown") -> ModelSpec:
    """What `write_model` is to say about a network."""
    return ModelSpec(
        kind="edgeface",
        variant=model.variant,
        options={"low_rank_head": model.low_rank_head},
        input_size=(IMAGE_SIZE, IMAGE_SIZE),
        output_size=EMBEDDING_SIZE,
        licence=licence,
    )


def build_edgeface(spec: ModelSpec) -> EdgeFace:
    """The network that a spec describes, with weights still to be loaded.

    Raises:
        WeightsError: The spec is of another kind, or describes no EdgeFace.
    """
    unknown = set(spec.options) - {"low_rank_head"}
    if spec.kind != "edgeface" or spec.variant not in VARIANTS or unknown:
        raise WeightsError(
            "config of an EdgeFace",
            got=f"{spec.kind} {spec.variant} with options {sorted(spec.options)}",
            expected=f"edgeface, one of {', '.join(VARIANTS)}, with low_rank_head at most",
            remedy="give the folder of an EdgeFace",
        )
    return EdgeFace(spec.variant, low_rank_head=bool(spec.options.get("low_rank_head", True)))
