"""Calibration people of a protocol: a gallery of their own, in which each of their pictures is a stranger's."""

from collections import defaultdict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lrface.errors import EvaluationError
from lrface.evaluation.protocol.protocol import Protocol
from lrface.metrics.open_set import Alarms, Strangers


class Calibrating:
    """The calibration people of a protocol.

    Args:
        protocol: The questions.
    """

    def __init__(self, protocol: Protocol) -> None:
        part, enrolled = protocol.calibration, protocol.settings.gallery_images
        self._number = {name: place for place, name in enumerate(part.names)}
        self._seed = protocol.settings.seed
        rows = defaultdict[str, list[int]](list)
        for row, name in zip(part.rows, part.subjects, strict=True):
            rows[name].append(row)
        self._enrolled = [(row, name) for name in part.names for row in rows[name][:enrolled]]
        places = {row: place for place, row in enumerate(protocol.probe_rows)}
        self._places = [places[row] for row in part.rows]
        self._people = np.array([self._number[name] for name in part.subjects], dtype=np.int64)

    @property
    def people(self) -> int:
        """How many there are."""
        return len(self._number)

    @property
    def template_rows(self) -> tuple[int, ...]:
        """Rows whose HR faces make the templates."""
        return tuple(row for row, _ in self._enrolled)

    def templates(self, high: Float[Tensor, "r d"]) -> Float[np.ndarray, "g d"]:
        """Turn the embeddings of `template_rows` into a template a person."""
        owners = torch.tensor([self._number[name] for _, name in self._enrolled])
        sums = torch.zeros(self.people, high.shape[1]).index_add(0, owners, high)
        return np.asarray(F.normalize(sums, dim=1).numpy())

    def alarms(self, templates: Float[np.ndarray, "g d"], probes: Float[Tensor, "p d"], gallery: int) -> Alarms | None:
        """How often they are named among each other; None where they are too few to be.

        Args:
            templates: As `templates` gives them.
            probes: Embeddings of the protocol's `probe_rows`.
            gallery: A size of the gallery that the rate is wanted for.
        """
        try:
            found = Strangers(probes[self._places].numpy(), templates, self._people, self._people, self._seed)
        except EvaluationError:
            return None
        return found.alarms(found.galleries(gallery))
