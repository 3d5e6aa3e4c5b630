"""Evaluation of all arms at all sizes under all conditions, on one protocol."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.evaluation.figures.measure import Embedded, Ruler
from lrface.evaluation.figures.memory import Gathered, Key, Memory
from lrface.evaluation.figures.operating import Tested, hold
from lrface.evaluation.figures.results import NAME_SAFE, Cell, Kept, Operating, Record, Results
from lrface.evaluation.protocol.arms import Arm, Embedder
from lrface.evaluation.protocol.calibration_people import Calibrating
from lrface.evaluation.protocol.conditions import CLEAN, Degrade, clean
from lrface.evaluation.protocol.feeding import batch_on, fed, shown_to
from lrface.evaluation.protocol.protocol import Protocol
from lrface.evaluation.protocol.seen import Seen, checked_embeddings
from lrface.evaluation.settings import EvaluationSettings
from lrface.images.ranges import to_float
from lrface.images.sizes import FACE_SIZE
from lrface.images.stored import StoredFaces
from lrface.metrics.lpips import Lpips

Progress = Callable[[int, int], None]
REAL = "real"


class _Counter:
    """Tells the caller how far it is."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def step(self, count: int = 1) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total)


def embed_high(
    faces: StoredFaces,
    rows: Sequence[int],
    embedder: Embedder,
    batch: int = 64,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "r d"]:
    """Embeds HR faces, a batch at a time; the result is on the CPU.

    Raises:
        EvaluationError: The embedder gives something else than unit rows.
    """
    parts, batch = [], batch_on(device, batch)
    with torch.inference_mode():
        for chosen, images in fed(faces, rows, batch, device):
            parts.append(checked_embeddings(shown_to(embedder, images, batch), len(chosen), "HR faces"))
    return torch.cat(parts)


class Evaluation:
    """One evaluation under way.

    Args:
        faces: All faces of the pack, uint8 RGB, memory-mapped or not.
        protocol: Whom to enrol and search for.
        arms: The ways to compare; their names differ.
        settings: What to measure.
        device: Where the networks are.
        lpips: Measures LPIPS; None leaves it out.
        memory: What an earlier evaluation measured; None measures all anew.
    """

    def __init__(
        self,
        faces: StoredFaces,
        protocol: Protocol,
        arms: Sequence[Arm],
        settings: EvaluationSettings,
        device: torch.device | str = "cpu",
        lpips: Lpips | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.faces, self.protocol, self.arms, self.settings = faces, protocol, tuple(arms), settings
        self.device, self.lpips, self._memory = torch.device(device), lpips, memory or Memory(most=0)
        self.batch = batch_on(self.device, settings.batch)
        self.batches = -(-len(protocol.probe_rows) // self.batch)
        self.ruler = Ruler(protocol, settings, self.device)
        self._check()
        self._high: dict[Embedder, Tensor] = {}
        self._templates: dict[Embedder, np.ndarray] = {}
        self._calibrating = Calibrating(protocol)
        self.tested: dict[Cell, Tested] = {}
        self._pair_rows = set(protocol.pairs.rows)
        self.records: list[Record] = []
        self.kept: dict[Cell, Kept] = {}
        self.tables: list[pd.DataFrame] = []
        self.notes: list[str] = list(protocol.notes)

    def _check(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) != len(names):
            raise EvaluationError(
                "arms", got=", ".join(names) or "none", expected="names that differ", remedy="rename the arms"
            )
        rows = (*self.protocol.probe_rows, *self.protocol.high_rows)
        if not rows or max(rows) >= len(self.faces) or min(rows) < 0:
            raise EvaluationError(
                "protocol",
                got=f"rows up to {max(rows, default=-1)}",
                expected=f"rows of a pack with {len(self.faces)} faces",
                remedy="use the pack that the protocol was drawn from",
            )

    def high(self, embedder: Embedder) -> Tensor:
        """Gives the HR embeddings of a recogniser, made once."""
        if embedder not in self._high:
            self._high[embedder] = embed_high(
                self.faces, self.protocol.high_rows, embedder, self.settings.batch, self.device
            )
        return self._high[embedder]

    def ceiling(self, arm: Arm, counter: _Counter) -> None:
        """Measures an arm whose probes are the HR faces themselves."""
        key = self._key(arm, FACE_SIZE, CLEAN)
        gathered = self._memory.find(key)
        if gathered is None:
            gathered = Gathered()
            with torch.inference_mode():
                for chosen, images in fed(self.faces, self.protocol.probe_rows, self.batch, self.device):
                    made = shown_to(arm.embedder, images, self.batch)
                    gathered.embeddings.append(checked_embeddings(made, len(chosen), arm.name))
                    counter.step()
            self._memory.keep(key, gathered)
        else:
            counter.step(len(gathered.embeddings))
        self._measure(arm, Cell(arm.name, FACE_SIZE, CLEAN), gathered)

    def condition(self, name: str, size: int, small: Callable[[Tensor, np.ndarray], Tensor], counter: _Counter) -> None:
        """Measures all arms at one size: each small face is made once, and all arms see the same pixels."""
        arms = [arm for arm in self.arms if not arm.is_ceiling and arm.takes(size)]
        keys = {arm.name: None if name == REAL else self._key(arm, size, name) for arm in arms}
        known = {arm.name: self._memory.find(keys[arm.name]) for arm in arms}
        gathered = {name: Gathered() for name, found in known.items() if found is None}
        if gathered:
            self._look(small, [arm for arm in arms if arm.name in gathered], gathered, counter)
        else:
            counter.step(self.batches)
        for arm in arms:
            found = known[arm.name] or gathered[arm.name]
            self._memory.keep(keys[arm.name], found)
            self._measure(arm, Cell(arm.name, size, name), found)

    def _look(
        self,
        small: Callable[[Tensor, np.ndarray], Tensor],
        arms: Sequence[Arm],
        gathered: Mapping[str, Gathered],
        counter: _Counter,
    ) -> None:
        """Show all probes to some arms."""
        with torch.inference_mode():
            for chosen, original in fed(self.faces, self.protocol.probe_rows, self.batch, self.device):
                vlr = small(original, chosen)
                paired = torch.tensor([row in self._pair_rows for row in chosen.tolist()])
                seen = Seen(vlr, original, paired, self.batch, self.lpips)
                for arm in arms:
                    found = gathered[arm.name]
                    found.embeddings.append(seen.embeddings(arm))
                    if paired.any():
                        near = seen.fidelity(arm)
                        found.psnr.append(near[0])
                        found.ssim.append(near[1])
                        found.lpips += [] if near[2] is None else [near[2]]
                counter.step()

    def _key(self, arm: Arm, size: int, condition: str) -> Key | None:
        """All that an arm's embeddings depend on; the weights are in it themselves."""
        looks = self.lpips.network if self.lpips is not None else None
        return self._memory.key(arm, self.protocol.digest, size, condition, self.batch, self.device, looks)

    def _measure(self, arm: Arm, cell: Cell, gathered: Gathered) -> None:
        # Batches go through the rows in rising order; the protocol lists its pairs by subject.
        rising = np.argsort(np.asarray(self.protocol.pairs.rows))
        places = np.empty_like(rising)
        places[rising] = np.arange(rising.size)

        def ordered(parts: list[Tensor]) -> np.ndarray:
            return torch.cat(parts).numpy()[places] if parts else np.empty(0)

        embedded = Embedded(
            high=self.high(arm.enrols_with),
            probes=torch.cat(gathered.embeddings),
            psnr=ordered(gathered.psnr),
            ssim=ordered(gathered.ssim),
            looks={f"lpips_{self.lpips.network}": ordered(gathered.lpips)} if self.lpips is not None else {},
        )
        if not arm.is_ceiling:
            self.tested[cell] = self._tested(arm, cell, embedded)
        records, kept, table, notes = self.ruler.measure(cell, embedded)
        self.records += records
        self.kept[cell] = kept
        self.tables.append(table)
        self.notes += notes

    def _tested(self, arm: Arm, cell: Cell, embedded: Embedded) -> Tested:
        """How often strangers are named: by calibration people where faces are clean, and by those of the test."""
        calibrating, calibration = self._calibrating, None
        if calibrating.people and cell.degradation == CLEAN:
            if arm.enrols_with not in self._templates:
                rows = calibrating.template_rows
                high = embed_high(self.faces, rows, arm.enrols_with, self.settings.batch, self.device)
                self._templates[arm.enrols_with] = calibrating.templates(high)
            calibration = calibrating.alarms(self._templates[arm.enrols_with], embedded.probes, self.ruler.gallery_size)
        return Tested(calibration, self.ruler.alarms(embedded), calibrating.people)

    def _operating(self) -> Operating:
        kept = {cell: self.kept[cell] for cell in self.tested}
        subjects = self.ruler.mated_subjects, self.ruler.stranger_subjects
        weights = self.ruler.weights
        return hold(kept, self.tested, self.ruler.gallery_size, subjects, weights, self.settings)

    def results(self) -> Results:
        """Gives what was found so far."""
        operating = self._operating()
        return Results(
            protocol=self.protocol,
            records=(*self.records, *operating.records()),
            operating=operating,
            subjects=pd.concat(self.tables, ignore_index=True),
            kept=dict(self.kept),
            threshold=self.settings.threshold,
            replicates=self.settings.replicates,
            seed=self.settings.seed,
            notes=tuple(dict.fromkeys([*self.notes, *operating.notes])),
        )


Small = Callable[[Tensor, np.ndarray], Tensor]


def _made(degrade: Degrade, size: int) -> Small:
    """Makes small faces from the HR ones."""

    def small(images: Tensor, _rows: np.ndarray) -> Tensor:
        return degrade(images, size)

    return small


def _stored(vlr: StoredFaces) -> Small:
    """Takes small faces that were given."""

    def small(images: Tensor, rows: np.ndarray) -> Tensor:
        return to_float(vlr[rows], images.device)

    return small


def _check_names(degradations: Mapping[str, Degrade]) -> None:
    for name in degradations:
        if not NAME_SAFE.fullmatch(name):
            raise EvaluationError(
                "condition", got=repr(name), expected="letters, digits, _ - .", remedy="rename the condition"
            )


def evaluate(
    faces: StoredFaces,
    protocol: Protocol,
    arms: Sequence[Arm],
    sizes: Sequence[int],
    *,
    degradations: Mapping[str, Degrade] | None = None,
    real_vlr: StoredFaces | None = None,
    settings: EvaluationSettings | None = None,
    device: torch.device | str = "cpu",
    lpips: Lpips | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> Results:
    """Evaluates all arms at all sizes under all conditions.

    An arm without upscaler is measured once, on HR probes (size 112, `clean`). A size that an arm does not take is
    left out for that arm, with a note.

    Args:
        faces: All faces of the pack, uint8 RGB; memory-mapped arrays are read batch by batch.
        protocol: Whom to enrol and search for.
        arms: The ways to compare.
        sizes: Sides of the probes in pixels, 8 to 112.
        degradations: Conditions by name; None is `clean` alone.
        real_vlr: Small faces of the same rows that were not made from the HR ones; measured as condition `real`.
        settings: What to measure; None is the defaults.
        device: Where the networks are.
        lpips: Measures LPIPS; None leaves it out.
        memory: What an earlier evaluation measured, and what this one will; a condition's name has to mean one thing
            in all of them. None measures all anew.
        progress: Told (batches done, all batches).

    Raises:
        EvaluationError: Arms of one name, rows that are not in the pack, embeddings that are not unit rows.
    """
    conditions = dict(degradations) if degradations is not None else {CLEAN: clean}
    _check_names(conditions)
    evaluation = Evaluation(faces, protocol, arms, settings or EvaluationSettings(), device, lpips, memory)
    ceilings = [arm for arm in evaluation.arms if arm.is_ceiling]
    others = [arm for arm in evaluation.arms if not arm.is_ceiling]
    wanted = [(name, size) for name in conditions for size in sizes if any(arm.takes(size) for arm in others)]
    passes = len(ceilings) + len(wanted) + (real_vlr is not None)
    counter = _Counter(evaluation.batches * passes, progress)
    for arm in ceilings:
        evaluation.ceiling(arm, counter)
    for name, size in wanted:
        evaluation.condition(name, size, _made(conditions[name], size), counter)
    if real_vlr is not None:
        evaluation.condition(REAL, real_vlr.shape[1], _stored(real_vlr), counter)
    for arm in others:
        refused = sorted({size for size in sizes if not arm.takes(size)})
        if refused:
            evaluation.notes.append(f"{arm.name} takes {arm.smallest} to {arm.largest} px; left out: {refused}")
    return evaluation.results()


def embed_arms(
    faces: StoredFaces,
    rows: Sequence[int],
    arms: Sequence[Arm],
    size: int,
    *,
    degrade: Degrade = clean,
    device: torch.device | str = "cpu",
    batch: int = 64,
) -> dict[str, Tensor]:
    """Embeds some faces as each arm sees them at a size; n x d by arm, on the CPU, for their picture."""
    found: dict[str, list[Tensor]] = {arm.name: [] for arm in arms}
    with torch.inference_mode():
        for chosen, images in fed(faces, rows, batch, device):
            vlr = degrade(images, size)
            for arm in arms:
                shown = images if arm.upscaler is None else arm.upscaler(vlr)
                found[arm.name].append(checked_embeddings(arm.embedder(shown), len(chosen), arm.name))
    return {name: torch.cat(parts) for name, parts in found.items()}
