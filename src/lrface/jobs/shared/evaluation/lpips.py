"""LPIPS for an evaluation, from weights that are named by path."""

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.jobs.shared.networks import NONE
from lrface.metrics.lpips import Lpips
from lrface.models.weights.backbones import lpips_linear, read_backbone


def load_lpips(weights: str, context: Context) -> Lpips | None:
    """Load what measures LPIPS, on the device of the job; None where no weights are named.

    Raises:
        WeightsError: The file is missing, or none of the known ones.
    """
    if weights == NONE:
        return None
    backbone = read_backbone(given_path(weights))
    linear = backbone.linear or lpips_linear(backbone.network)
    context.terminal.line(f"LPIPS by {backbone.network}, sha256 {backbone.sha256[:12]}")
    return Lpips(backbone.network, backbone.convolutions, linear).to(context.device)
