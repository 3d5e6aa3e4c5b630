from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrface.errors import ConfigError
from lrface.training.batches.source import EpochSource, shared_order
from lrface.training.processes import Processes

ROWS = np.arange(10, 30)


def test_without_a_count_every_row_of_every_group_comes_once():
    order = shared_order([ROWS, np.array([50, 51])], [0.9, 0.1], 0, 3, 1)
    assert sorted(order) == [*ROWS, 50, 51]
    assert list(order) != [*ROWS, 50, 51]


def test_without_a_count_a_group_without_a_share_does_not_come():
    assert sorted(shared_order([ROWS, np.array([50, 51])], [1.0, 0.0], 0, 3, 1)) == [*ROWS]


def test_an_order_is_a_function_of_seed_and_epoch():
    orders = [tuple(shared_order([ROWS], [1.0], 0, seed, epoch)) for seed, epoch in [(1, 0), (1, 0), (1, 1), (2, 0)]]
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3


def test_shares_are_kept_in_every_epoch():
    other = np.arange(100, 400)
    for epoch in range(5):
        order = shared_order([ROWS, other], [3.0, 1.0], 40, 0, epoch)
        assert (order < 100).sum() == 30
        assert (order >= 100).sum() == 10


def test_a_group_without_rows_leaves_its_share_to_the_others():
    order = shared_order([ROWS, np.array([], dtype=np.int64)], [0.5, 0.5], 12, 0, 0)
    assert len(order) == 12


@given(st.integers(1, 9), st.integers(1, 25), st.integers(0, 2**31 - 1))
def test_the_walk_visits_every_row_once_a_round(rows, count, seed):
    group = np.arange(rows)
    epochs = -(-3 * rows // count)
    walk = np.concatenate([shared_order([group], [1.0], count, seed, epoch) for epoch in range(epochs)])
    assert len(walk) == epochs * count
    visits = Counter(walk.tolist())
    assert max(visits.values()) - min(visits[row] for row in range(rows)) <= 1


@pytest.mark.parametrize("groups", [[], [np.array([], dtype=np.int64)]])
def test_no_rows_at_all_are_refused(groups):
    with pytest.raises(ConfigError, match="no faces"):
        shared_order(groups, [1.0] * len(groups), 5, 0, 0)


def test_shares_of_nothing_are_refused():
    with pytest.raises(ConfigError, match="share"):
        shared_order([ROWS], [0.0], 5, 0, 0)


def source_of(pack, batch_size, epoch=lambda: 0, count=0):
    rows = pack.rows(recognition="train")
    labels, _ = pack.labels(rows)
    people = dict(zip(rows.tolist(), labels.tolist(), strict=True))
    return EpochSource(pack, lambda e: shared_order([rows], [1.0], count, 0, e), people, batch_size, epoch), people


def test_batches_are_the_faces_and_people_of_the_order(tiny_pack):
    source, people = source_of(tiny_pack, 4, epoch=lambda: 2)
    batches = list(source)
    order = shared_order([tiny_pack.rows(recognition="train")], [1.0], 0, 0, 2)
    assert [int(row) for batch in batches for row in batch.rows] == order[:20].tolist()
    for step, batch in enumerate(batches):
        assert batch.step == step
        assert torch.equal(batch.faces, torch.from_numpy(np.array(tiny_pack.faces[batch.rows.numpy()])))
        assert batch.labels.tolist() == [people[int(row)] for row in batch.rows]


def test_a_last_batch_that_is_not_full_is_left_out_unless_it_is_the_only_one(tiny_pack):
    assert len(source_of(tiny_pack, 8)[0]) == len(list(source_of(tiny_pack, 8)[0])) == 2
    only = list(source_of(tiny_pack, 500)[0])
    assert len(only) == len(source_of(tiny_pack, 500)[0]) == 1
    assert len(only[0].rows) == 21


def test_rows_without_a_person_are_minus_one(tiny_pack):
    source = EpochSource(tiny_pack, lambda epoch: np.array([3, 1]), {3: 5}, 2, lambda: 0)
    assert next(iter(source)).labels.tolist() == [5, -1]


def test_an_epoch_without_faces_is_refused(tiny_pack):
    with pytest.raises(ConfigError, match="no faces"):
        EpochSource(tiny_pack, lambda epoch: np.array([], dtype=np.int64), {}, 2, lambda: 0)


def test_each_process_gets_its_slice_of_every_batch(tiny_pack):
    rows = tiny_pack.rows(superres="train")
    whole = list(EpochSource(tiny_pack, lambda epoch: rows, {int(rows[5]): 9}, 8, lambda: 0))
    for mixes in (False, True):
        parts = []
        for rank in range(2):
            processes = Processes()
            processes.rank, processes.count = rank, 2
            source = EpochSource(tiny_pack, lambda epoch: rows, {int(rows[5]): 9}, 8, lambda: 0, processes, mixes=mixes)
            assert len(source) == len(whole)
            parts.append(list(source))
        for one, other, both in zip(*parts, whole, strict=True):
            assert torch.equal(torch.cat([one.faces, other.faces]), both.faces)
            assert torch.equal(torch.cat([one.labels, other.labels]), both.labels)
            assert torch.equal(one.rows, both.rows)
            assert (one.part, other.part) == (slice(0, 4), slice(4, 8))
            assert torch.equal(one.others, both.faces) if mixes else one.others is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_epoch_keeps_nothing_of_a_pack_that_is_larger_than_memory(tiny_pack, tmp_path):
    """22 GB on paper, a file of holes on disk: of 14 MB that are read, a batch or two stay the process's own."""
    count = 600_000
    shape = (count, *tiny_pack.faces.shape[1:])
    np.lib.format.open_memmap(tmp_path / "faces.npy", mode="w+", dtype=np.uint8, shape=shape)
    pack = replace(tiny_pack, faces=np.load(tmp_path / "faces.npy", mmap_mode="r"))
    order = np.random.default_rng(0).integers(0, count, 384)
    source = EpochSource(pack, lambda epoch: order, {}, 16, lambda: 0)
    next(iter(source))
    before = own_memory()
    most = max(own_memory() for _ in source) - before

    assert most < 8
    assert (tmp_path / "faces.npy").stat().st_size > 22e9


def own_memory():
    """Megabytes that this process alone holds; pages of a mapped file are the system's to drop."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024
