"""Probes of several pictures."""

import numpy as np
import pytest
import torch

from lrface.evaluation.figures.results import Record
from lrface.evaluation.figures.several import OVER_MEAN, OVER_ONE, Figure, Probes, pooled_probes, runs, several_figures
from lrface.evaluation.report.several_page import several_section
from lrface.metrics.statistics import draw_weights

WIDTH = 64


def drawn(people: int, pictures: int, likeness: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Templates of people, and unit embeddings of their pictures whose cosine to them is about `likeness`."""
    generator = np.random.default_rng(seed)

    def unit(*shape: int) -> np.ndarray:
        values = generator.normal(size=(*shape, WIDTH))
        return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True))

    templates = unit(people)
    owner = np.repeat(np.arange(people), pictures)
    rows = likeness * templates[owner] + np.sqrt(1 - likeness**2) * unit(people * pictures)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return torch.from_numpy(templates).float(), torch.from_numpy(rows).float(), owner


def measured(
    people: int = 60, pictures: int = 8, strangers: int = 0, counts: tuple[int, ...] = (2, 4)
) -> dict[str, Figure]:
    templates, rows, owner = drawn(people + strangers, pictures, 0.35, 1)
    known = owner < people
    mated = Probes(rows[known], owner[known], torch.from_numpy(owner[known]))
    others = Probes(rows[~known], owner[~known], torch.full((int((~known).sum()),), -1)) if strangers else None
    sides = (np.full(int(known.sum()), 8.0), np.full(int((~known).sum()), 8.0))
    weights = draw_weights(people + strangers, 200, 0)
    found = several_figures(mated, others, templates[:people], sides, counts, (0.1,), weights)
    return {figure.metric: figure for figure in found}


def test_runs_take_pictures_of_one_person_and_leave_the_rest() -> None:
    assert runs(np.array([3, 1, 3, 3, 1, 2]), 2).tolist() == [[1, 4], [0, 2]]
    assert runs(np.array([0, 1]), 2).shape == (0, 2)
    assert runs(np.array([], np.int64), 2).shape == (0, 2)


def test_more_pictures_find_more() -> None:
    found = measured()
    assert found["rank1_of_4"].interval.value > found["rank1_of_2"].interval.value
    assert found["rank1_of_2" + OVER_ONE].interval.low > 0
    assert found["tpir_at_fpir_1e-1_of_4" + OVER_ONE].interval.low > 0
    assert found["rank1_of_4"].n == 120


def test_the_gain_is_the_difference_on_the_same_pictures() -> None:
    found = measured()
    templates, rows, owner = drawn(60, 8, 0.35, 1)
    alone = float(((rows @ templates.T).argmax(dim=1).numpy() == owner).mean())
    figure = found["rank1_of_4"].interval.value
    assert found["rank1_of_4" + OVER_ONE].interval.value == pytest.approx(figure - alone)


def test_strangers_with_as_many_pictures_are_pooled_too() -> None:
    found, left_out = measured(strangers=30), measured()
    assert found["tpir_at_fpir_1e-1_of_2"].reason is None
    assert found["tpir_at_fpir_1e-1_of_2"].interval.value != left_out["tpir_at_fpir_1e-1_of_2"].interval.value


def test_a_count_that_nobody_has_is_told_once() -> None:
    found = measured(counts=(2, 16))
    assert "nobody who is enrolled has so many" in (found["rank1_of_16"].reason or "")
    assert np.isnan(found["rank1_of_16"].interval.value)


def test_the_plain_mean_is_the_renormalised_one() -> None:
    _, rows, owner = drawn(3, 2, 0.5, 0)
    mean = pooled_probes(rows, runs(owner, 2), None)
    wanted = torch.nn.functional.normalize(rows[0] + rows[1], dim=0)
    torch.testing.assert_close(mean[0], wanted)


def test_the_page_lays_out_counts_and_gains() -> None:
    records = [
        Record("pair", 8, "clean", f"rank1{end}", value, value - 0.1, value + 0.1, 10)
        for end, value in (("", 0.5), ("_of_4", 0.8), (f"_of_4{OVER_ONE}", 0.3), (f"_of_4{OVER_MEAN}", 0.01))
    ]
    page = several_section(records)
    assert "80.0 <small>[70.0, 90.0]</small>" in page
    assert "+30.0 <small>[+20.0, +40.0]</small>" in page
    assert several_section(records[:1]) == ""
