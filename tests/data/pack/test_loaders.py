from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.data.pack.loaders import batches, epoch_order
from lrface.data.pack.writer import write_pack
from lrface.errors import ConfigError


@pytest.fixture
def pack(tmp_path, faces, subjects):
    return write_pack(tmp_path / "pack", faces, subjects)


@given(st.lists(st.integers(0, 1000), unique=True), st.integers(0, 9), st.integers(0, 9))
@settings(deadline=None)
def test_an_order_is_a_permutation_and_always_the_same(rows, seed, epoch):
    given_rows = np.array(rows, dtype=np.int64)
    order = epoch_order(given_rows, seed, epoch)
    assert sorted(order) == sorted(rows)
    assert np.array_equal(order, epoch_order(given_rows, seed, epoch))


def test_orders_differ_by_seed_and_epoch():
    rows = np.arange(50)
    orders = {tuple(epoch_order(rows, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 3))
@settings(deadline=None)
def test_a_balanced_order_draws_classes_alike(labels, epoch):
    given_labels = np.array(labels)
    rows = np.arange(len(labels)) + 100
    order = epoch_order(rows, 1, epoch, labels=given_labels, balanced=True)
    drawn = Counter(given_labels[order - 100].tolist())
    assert len(order) == len(rows)
    assert max(drawn.values()) - min(drawn.get(label, 0) for label in set(labels)) <= 1
    for label in set(labels):
        uses = Counter(row for row in order.tolist() if labels[row - 100] == label)
        if drawn[label] >= labels.count(label):
            assert set(uses) == {row + 100 for row, other in enumerate(labels) if other == label}
        assert not uses or max(uses.values()) <= -(-drawn[label] // labels.count(label))


def test_a_balanced_order_needs_labels():
    with pytest.raises(ConfigError, match="no labels"):
        epoch_order(np.arange(3), 0, 0, balanced=True)
    with pytest.raises(ConfigError, match="2 labels for 3 rows"):
        epoch_order(np.arange(3), 0, 0, labels=np.arange(2), balanced=True)
    with pytest.raises(ConfigError, match="epoch -1"):
        epoch_order(np.arange(3), 0, -1)


def test_batches_carry_rows_and_faces(pack, faces):
    order = epoch_order(pack.rows(), 0, 0)
    seen = list(batches(pack, order, 6))
    assert [len(rows) for rows, _ in seen] == [6, 6, 6, 2]
    for rows, images in seen:
        assert images.dtype == torch.uint8
        assert np.array_equal(images.numpy(), faces[rows])
    assert np.array_equal(np.concatenate([rows for rows, _ in seen]), order)


def test_a_last_batch_that_is_not_full_may_be_dropped(pack):
    assert [len(rows) for rows, _ in batches(pack, np.arange(20), 6, drop_last=True)] == [6, 6, 6]
    assert list(batches(pack, np.arange(3), 6, drop_last=True)) == []


def test_resuming_within_an_epoch_gives_the_same_batches(pack):
    order = epoch_order(pack.rows(), 3, 7)
    whole = [rows for rows, _ in batches(pack, order, 6)]
    rest = [rows for rows, _ in batches(pack, order, 6, start=2)]
    assert len(rest) == 2
    assert all(np.array_equal(one, other) for one, other in zip(whole[2:], rest, strict=True))
    assert list(batches(pack, order, 6, start=9)) == []


def test_a_batch_is_a_copy_and_may_be_written_to(pack):
    _, images = next(batches(pack, np.arange(4), 4))
    images += 1
    assert not np.array_equal(images.numpy(), pack.faces[:4])


def test_no_batch_size_is_refused(pack):
    with pytest.raises(ConfigError, match="batch size 0"):
        next(batches(pack, np.arange(4), 0))
