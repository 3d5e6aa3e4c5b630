import numpy as np
import pytest
import torch

from lrface.images.ranges import round_to_8_bit, to_float, to_uint8


def test_every_level_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    faces = np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=-1).reshape(1, 16, 16, 3)
    assert np.array_equal(to_uint8(to_float(faces)), faces)


def test_floats_are_planes_of_one_channel_in_unit_range(faces):
    images = to_float(faces)
    assert images.shape == (3, 3, 112, 112)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert images[1, 2, 10, 20].item() == pytest.approx(faces[1, 10, 20, 2] / 255)


def test_the_stored_faces_are_not_written_to(faces):
    before = faces.copy()
    to_float(faces)
    to_float(torch.from_numpy(faces))
    assert np.array_equal(faces, before)


def test_a_read_only_slice_of_a_memory_map_is_taken(faces, tmp_path):
    np.save(tmp_path / "faces.npy", faces)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    assert torch.equal(to_float(mapped[::2]), to_float(faces[::2]))
    assert torch.equal(to_float(mapped[1:]), to_float(faces[1:]))


def test_values_outside_are_clamped_and_halves_round_to_the_nearest_level():
    images = torch.tensor([-0.3, 1.7, 0.6 / 255, 0.4 / 255]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert to_uint8(images)[0, :, :, 0].tolist() == [[0, 255], [1, 0]]


def test_rounding_keeps_256_levels():
    rounded = round_to_8_bit(torch.linspace(-0.5, 1.5, 4001).view(1, 1, -1))
    assert len(rounded.unique()) == 256
    assert rounded.min() == 0
    assert rounded.max() == 1
