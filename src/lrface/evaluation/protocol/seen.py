"""A batch of small faces as the arms see it."""

import torch
from jaxtyping import Float
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.evaluation.protocol.arms import Arm, Embedder, Upscaler
from lrface.evaluation.protocol.feeding import shown_to
from lrface.metrics.fidelity import psnr, ssim
from lrface.metrics.lpips import Lpips


def checked_embeddings(embeddings: Tensor, count: int, who: str) -> Float[Tensor, "n d"]:
    """Gives embeddings on the CPU in float32, or says what is wrong with them.

    Raises:
        EvaluationError: Not one row per face, not finite, or not of unit length.
    """
    plain = embeddings.detach().to("cpu", torch.float32)
    if plain.ndim != 2 or plain.shape[0] != count:
        got = f"shape {tuple(plain.shape)}"
    elif not bool(torch.isfinite(plain).all()):
        got = "numbers that are not finite"
    elif not bool(((plain.norm(dim=1) - 1.0).abs() < 1e-3).all()):
        got = f"lengths {float(plain.norm(dim=1).min()):.3g} to {float(plain.norm(dim=1).max()):.3g}"
    else:
        return plain
    raise EvaluationError(
        f"embeddings of {who}",
        got=got,
        expected=f"{count} finite rows of unit length",
        remedy="normalise what the recogniser gives, and look for a diverged network",
    )


class Seen:
    """A batch of small faces as the arms see it: what several of them have in common is made once.

    Args:
        vlr: The small faces.
        original: Their HR faces.
        paired: Which of them fidelity is measured on, on the CPU.
        batch: Faces of a full batch.
        lpips: Measures LPIPS, where it is wanted.
    """

    def __init__(self, vlr: Tensor, original: Tensor, paired: Tensor, batch: int, lpips: Lpips | None = None) -> None:
        self._vlr, self._original, self._batch, self._lpips = vlr, original, batch, lpips
        self._places = paired.nonzero().squeeze(1).to(original.device)
        self._looks: tuple[Tensor, ...] | None = None
        self._enlarged: dict[Upscaler, Tensor] = {}
        self._embedded: dict[tuple[Upscaler, Embedder], Tensor] = {}
        self._near: dict[Upscaler, tuple[Tensor, Tensor, Tensor | None]] = {}

    def embeddings(self, arm: Arm) -> Tensor:
        """Embeddings of the probes of an arm that enlarges; n x d, on the CPU."""
        upscaler = _upscaler(arm)
        if (upscaler, arm.embedder) not in self._embedded:
            made = shown_to(arm.embedder, self._shown(upscaler), self._batch)
            self._embedded[upscaler, arm.embedder] = checked_embeddings(made, len(self._vlr), arm.name)
        return self._embedded[upscaler, arm.embedder]

    def fidelity(self, arm: Arm) -> tuple[Tensor, Tensor, Tensor | None]:
        """PSNR, SSIM and, where it is wanted, LPIPS of what an arm shows of the paired faces."""
        upscaler = _upscaler(arm)
        if upscaler not in self._near:
            shown, wanted = self._shown(upscaler)[self._places].float(), self._original[self._places]
            self._near[upscaler] = psnr(shown, wanted).cpu(), ssim(shown, wanted).cpu(), self._unlike(shown)
        return self._near[upscaler]

    def _unlike(self, shown: Tensor) -> Tensor | None:
        if self._lpips is None:
            return None
        if self._looks is None:
            self._looks = self._lpips.features(self._original[self._places])
        return self._lpips.distance(self._lpips.features(shown), self._looks).cpu()

    def _shown(self, upscaler: Upscaler) -> Tensor:
        if upscaler not in self._enlarged:
            self._enlarged[upscaler] = shown_to(upscaler, self._vlr, self._batch)
        return self._enlarged[upscaler]


def _upscaler(arm: Arm) -> Upscaler:
    if arm.upscaler is None:
        raise TypeError("the ceiling sees no small faces")
    return arm.upscaler
