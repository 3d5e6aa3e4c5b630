import torch

from lrface.models.chunks import chunked, in_chunks


def test_every_chunk_has_one_shape_and_every_row_its_own_answer():
    rows, sizes = torch.arange(22.0).view(11, 2), torch.arange(11)
    shapes = []

    def call(one, other):
        shapes.append(tuple(one.shape))
        return one.sum(1) + other

    assert torch.equal(chunked(call, rows, sizes, size=4), rows.sum(1) + sizes)
    assert shapes == [(4, 2)] * 3


def test_a_list_of_tensors_is_put_together_again():
    rows = torch.rand(5, 3)
    one, other = chunked(lambda part: [part * 2, part[:, :1]], rows, size=2)
    assert torch.equal(one, rows * 2)
    assert torch.equal(other, rows[:, :1])


def test_a_cpu_gets_all_rows_at_once():
    shapes = []
    in_chunks(lambda part: shapes.append(len(part)) or part, torch.rand(1000, 1), size=4)
    assert shapes == [1000]
