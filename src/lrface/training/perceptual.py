"""The perceptual loss with the weights that its settings name."""

from pathlib import Path

from lrface.losses.perceptual import PerceptualLoss
from lrface.losses.settings import PerceptualSettings
from lrface.models.backbones import read_backbone


def perceptual_loss(settings: PerceptualSettings) -> PerceptualLoss:
    """Make the loss; VGG16 may also come from a file that was made for LPIPS.

    Raises:
        WeightsError: The weights cannot be had, or are not the known ones.
    """
    if settings.network == "vgg16" and settings.weights != "imagenet":
        return PerceptualLoss(settings, read_backbone(Path(settings.weights).expanduser(), "vgg16").state())
    return PerceptualLoss(settings)
