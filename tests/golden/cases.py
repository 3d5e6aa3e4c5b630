"""All that is kept, by name: group/what."""

from collections.abc import Callable, Iterator
from typing import Any

from . import of_images, of_losses, of_networks, of_trainings
from .summary import Tolerance

GROUPS: dict[str, Callable[[], Iterator[tuple[str, Any, Tolerance]]]] = {
    "drawing": of_images.drawing,
    "condition": of_images.conditioned,
    "degradation": of_images.degraded,
    "augmentation": of_images.augmented,
    "resample": of_images.resampled,
    "alignment": of_images.aligned,
    "enlargement": of_images.sides,
    "dsr": of_networks.dsr,
    "edgeface": of_networks.edgeface,
    "onnx": of_networks.onnx_graphs,
    "loss": of_losses.losses,
    "step": of_trainings.steps,
    "report": of_trainings.report,
}
