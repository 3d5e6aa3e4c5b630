import threading

import pytest

from lrface.data.files.parallel import ordered_map


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_results_keep_the_order_of_the_items(workers):
    assert list(ordered_map(lambda item: item * item, range(100), workers)) == [item * item for item in range(100)]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_exception_comes_at_its_place(workers):
    def work(item: int) -> int:
        if item == 40:
            raise KeyError(item)
        return item

    stream = ordered_map(work, range(100), workers)
    taken = [next(stream) for _ in range(40)]
    assert taken == list(range(40))
    with pytest.raises(KeyError):
        next(stream)


def test_no_more_is_read_than_is_soon_needed():
    read = []

    def items():
        for item in range(10_000):
            read.append(item)
            yield item

    stream = ordered_map(lambda item: item, items(), workers=2)
    next(stream)
    assert len(read) <= 200
    stream.close()


def test_closing_ends_the_threads():
    before = threading.active_count()
    stream = ordered_map(lambda item: item, range(1000), workers=4)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_work_is_done_side_by_side():
    together = threading.Barrier(2, timeout=5)

    def work(item: int) -> int:
        if item % 16 == 0:
            together.wait()
        return item

    assert len(list(ordered_map(work, range(64), workers=2))) == 64
    assert not together.broken
