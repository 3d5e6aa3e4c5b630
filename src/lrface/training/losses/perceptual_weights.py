"""The perceptual loss with the weights that its settings name."""

from lrface.base.given_paths import given_path
from lrface.models.weights.backbones import read_backbone
from lrface.training.losses.perceptual import PerceptualLoss
from lrface.training.losses.settings import PerceptualSettings


def perceptual_loss(settings: PerceptualSettings) -> PerceptualLoss:
    """Make the loss; VGG16 may also come from a file that was made for LPIPS.

    Raises:
        WeightsError: The weights cannot be had, or are not the known ones.
    """
    if settings.network == "vgg16" and settings.weights != "imagenet":
        return PerceptualLoss(settings, read_backbone(given_path(settings.weights), "vgg16").state())
    return PerceptualLoss(settings)
