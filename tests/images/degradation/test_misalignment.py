"""A box that is off: by how much, in pixels of the small face, and what stays as it was."""

import pytest
import torch

from lrface.images.degradation.degradation import degrade, draw_degradation, fixed_draw
from lrface.images.degradation.misalignment import draw_boxes, misaligned, shifts
from lrface.images.settings import DegradationSettings


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(count=2):
    """Faces of a kind: low waves, so that resampling costs nothing."""
    line = torch.linspace(0, 3.0, 112)
    waves = 0.5 + 0.4 * torch.sin(line)[:, None] * torch.cos(2 * line)[None, :]
    return waves.expand(count, 3, 112, 112).contiguous()


@pytest.mark.parametrize("size", [8, 14, 28])
def test_a_shift_of_one_small_pixel_moves_the_small_face_by_one_pixel(size):
    images = smooth(1)
    box = torch.tensor([[1.0, 0.0, 0.0, 0.0]])

    moved = misaligned(images, box, torch.tensor([size]))

    step = 112 // size
    torch.testing.assert_close(moved[..., : 112 - step], images[..., step:], atol=2e-3, rtol=0)


def test_scale_and_turn_move_the_border_by_so_many_small_pixels():
    images, size = torch.zeros(1, 3, 112, 112), torch.tensor([8])
    images[..., 56, 112 - 14] = 1.0  # a point a pixel of the small face inside the right border

    out = misaligned(images, torch.tensor([[0.0, 0.0, 1.0, 0.0]]), size)
    turned = misaligned(images, torch.tensor([[0.0, 0.0, 0.0, 1.0]]), size)

    def place(face):
        return divmod(int(face[0, 0, :, :100].argmax()), 100)  # beyond lies its mirror image

    # a border that lies one of 4 pixels further out shrinks distances to 4/5; a turn of a quarter lifts the point
    assert place(out)[1] == pytest.approx(56 + 42.5 / 1.25, abs=1)
    assert place(turned)[0] == pytest.approx(56 - 42.5 * torch.sin(torch.tensor(0.25)).item(), abs=1)


def test_what_is_not_off_is_given_back_to_the_bit():
    images = torch.rand(3, 3, 112, 112, generator=generator())
    box = torch.zeros(3, 4)
    box[1, 0] = 1.0

    moved = misaligned(images, box, torch.tensor([8, 8, 8]))

    assert torch.equal(moved[[0, 2]], images[[0, 2]])
    assert not torch.equal(moved[1], images[1])
    assert 0.0 <= float(moved.min()) <= float(moved.max()) <= 1.0


def test_without_it_nothing_is_drawn_and_nothing_changes():
    plain, after = generator(), generator()
    assert draw_boxes(DegradationSettings(), 4, plain) is None
    assert torch.equal(torch.rand(3, generator=plain), torch.rand(3, generator=after))


def test_with_it_all_other_draws_stay_what_they_were():
    without = draw_degradation(DegradationSettings(), 16, generator(5))
    drawn = draw_degradation(DegradationSettings(misaligned=0.5, shift=2.0), 16, generator(5))

    assert without.box is None
    assert torch.equal(without.noise, drawn.noise)
    assert torch.equal(without.jpeg_quality, drawn.jpeg_quality)
    off = (drawn.box != 0).any(dim=1)
    assert 0 < int(off.sum()) < 16
    assert 1.0 < float(drawn.box[:, :2].abs().max()) <= 2.0
    assert float(drawn.box[:, 2:].abs().max()) <= 0.5


def test_part_of_a_draw_holds_the_boxes_of_its_faces():
    drawn = draw_degradation(DegradationSettings(misaligned=1.0), 6, generator(1))

    assert torch.equal(drawn.take(slice(2, 4)).box, drawn.box[2:4])
    assert fixed_draw(8, 2).take(slice(0, 1)).box is None


def test_a_face_is_moved_before_it_is_shrunk():
    images = torch.rand(4, 3, 112, 112, generator=generator())
    settings = DegradationSettings(misaligned=1.0, clean=1.0, kernels=("bicubic",))
    drawn = draw_degradation(settings, 4, generator(2))
    moved = misaligned(images, drawn.box, drawn.size)
    plain = fixed_draw(8, 4)
    still = type(plain)(**{**vars(plain), "size": drawn.size})

    torch.testing.assert_close(degrade(images, drawn).enlarged, degrade(moved, still).enlarged)


def test_shifts_are_of_one_length_in_all_directions():
    box = shifts(200, 1.5, generator())

    torch.testing.assert_close(box[:, :2].norm(dim=1), torch.full((200,), 1.5))
    assert torch.equal(box[:, 2:], torch.zeros(200, 2))
    assert float(box[:, :2].mean(dim=0).abs().max()) < 0.3
