import math

import pytest
import torch

from lrface.training.loop.book import EpochBook

CPU = torch.device("cpu")


def alone(values):
    return values


def noted(*steps):
    book = EpochBook()
    book.open(["loss", "accuracy"], ["body"], len(steps), CPU)
    for loss, accuracy, norm in steps:
        values = {"loss": torch.tensor(loss), "accuracy": torch.tensor(accuracy)}
        norms = {"body": torch.tensor(norm)}
        fine = float(math.isfinite(loss))
        book.note(values, norms, torch.tensor(fine), torch.tensor(fine * math.isfinite(norm)))
    return book


def test_means_are_over_the_steps_that_counted():
    book = noted((1.0, 0.5, 2.0), (math.nan, 0.9, math.nan), (3.0, 0.7, math.inf))
    assert book.means(alone) == pytest.approx({"loss": 2.0, "accuracy": 0.6, "norm_body": 2.0})


def test_the_steps_that_were_left_out_are_told_with_their_cause():
    first, second = noted((1.0, 0.5, 2.0), (math.nan, 0.9, 1.0), (3.0, 0.7, math.inf)).left_out(alone)
    assert (first.step, math.isnan(first.loss), first.norms) == (1, True, {})
    assert (second.step, second.loss, second.norms) == (2, 3.0, {"body": math.inf})


def test_a_new_epoch_begins_with_nothing():
    book = noted((1.0, 0.5, 2.0), (math.nan, 0.9, 1.0))
    book.clear()
    assert book.left_out(alone) == []
    assert book.means(alone) == {}
    assert EpochBook().left_out(alone) == []
