from dataclasses import replace

import numpy as np
import pytest
import torch

from lrface.errors import ConfigError
from lrface.images.augmentation import draw_augmentation
from lrface.images.degradation.degradation import SmallFaces, degrade, fixed_draw, small_faces
from lrface.images.ranges import to_float
from lrface.images.settings import AugmentationSettings
from lrface.training.batches.mix import mixed
from lrface.training.batches.real import draw_pairs, pairs
from lrface.training.batches.source import Batch, EpochSource, augmented_by
from lrface.training.settings import MixSettings
from lrface.training.validation import validation_set


@pytest.fixture
def pack(tiny_pack):
    """Faces whose VLR images were not made from them: each is of one grey, which tells its row."""
    grey = np.arange(len(tiny_pack), dtype=np.uint8).reshape(-1, 1, 1, 1)
    vlr = np.broadcast_to(grey, (len(tiny_pack), 14, 14, 3)).copy()
    vlr[:, :, :7] = 200  # the left half, so that a mirror image can be told
    return replace(tiny_pack, vlr=vlr)


def batch_of(pack, rows, part=slice(None)):
    rows = np.asarray(rows)
    return Batch(
        faces=torch.from_numpy(pack.batch(rows[part])),
        rows=torch.from_numpy(rows),
        labels=torch.zeros(len(rows[part]), dtype=torch.int64),
        step=0,
        part=part,
        vlr=None if pack.vlr is None else torch.from_numpy(pack.vlr_batch(rows[part])),
    )


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def draw_real(batch, share, drawn):
    draw = draw_pairs(batch, share, drawn)
    return pairs(batch, None if draw is None else draw.take(batch.part))


def test_an_epoch_brings_the_vlr_images_of_its_rows(pack, tiny_pack):
    source = EpochSource(pack, lambda epoch: np.array([7, 3, 9, 1]), {}, 2, lambda: 0)
    assert [batch.vlr[:, 0, -1, 0].tolist() for batch in source] == [[7, 3], [9, 1]]
    assert all(batch.vlr is None for batch in EpochSource(tiny_pack, lambda epoch: np.arange(4), {}, 2, lambda: 0))


def test_a_pair_is_its_face_and_its_vlr_image_mirrored_alike(pack):
    rows = np.arange(20)
    real = draw_real(batch_of(pack, rows), 1.0, generator())
    assert real.places.tolist() == list(range(20))
    small = degrade(torch.zeros(20, 3, 112, 112), fixed_draw(8, 20))
    hr, small = real.put_hr(torch.zeros(20, 3, 112, 112)), real.put_small(small)
    assert small.size.tolist() == [14] * 20
    turned = []
    for row in rows:
        face, vlr = to_float(pack.batch([row])), to_float(pack.vlr_batch(np.array([row])))
        turned.append(not torch.equal(hr[row], face[0]))
        if turned[-1]:
            face, vlr = face.flip(-1), vlr.flip(-1)
        assert torch.equal(hr[row], face[0])
        torch.testing.assert_close(small.enlarged[row], small_faces(vlr).enlarged[0])
    assert 3 < sum(turned) < 17


def test_the_share_says_how_many(pack):
    rows = np.arange(200) % len(pack)
    drawn = generator()
    real = draw_real(batch_of(pack, rows), 0.25, drawn)
    assert 30 < len(real.places) < 70
    ones = torch.ones(200, 3, 112, 112)
    kept = (real.put_hr(ones) == 1).all(dim=(1, 2, 3))
    assert kept.sum() == 200 - len(real.places)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_without_vlr_images_or_a_share_nothing_is_drawn_and_nothing_changes(pack, tiny_pack, share):
    drawn = generator()
    real = draw_real(batch_of(pack if share == 0 else tiny_pack, [1, 2]), share, drawn)
    assert torch.equal(drawn.get_state(), generator().get_state())
    hr = torch.rand(2, 3, 112, 112)
    small = SmallFaces(hr, torch.tensor([9, 10]))
    assert real.put_hr(hr) is hr
    assert real.put_small(small) is small


def test_processes_that_share_a_batch_draw_the_same_pairs(pack):
    rows = np.arange(8)
    whole = draw_real(batch_of(pack, rows), 0.5, generator())
    found = []
    for part in (slice(0, 4), slice(4, 8)):
        found += [rows[part][place] for place in draw_real(batch_of(pack, rows, part), 0.5, generator()).places]
    assert found == whole.places.tolist()


def test_some_faces_of_a_batch_keep_their_pairs(pack):
    real = draw_real(batch_of(pack, np.arange(8)), 0.5, generator())
    rows = torch.tensor([int(real.places[1]), *(place for place in range(8) if place not in real.places), 0])
    taken = real.take(rows)
    assert rows[taken.places].tolist() == [row for row in rows.tolist() if row in real.places]
    wanted = real.hr[[real.places.tolist().index(int(row)) for row in rows[taken.places]]]
    assert torch.equal(taken.hr, wanted)


def test_vlr_images_that_are_not_small_are_refused(pack):
    large = replace(pack, vlr=np.zeros((len(pack), 40, 40, 3), np.uint8))
    with pytest.raises(ConfigError, match="got 40 x 40 pixels; expected square, 8 to 32"):
        draw_real(batch_of(large, [1, 2]), 1.0, generator())


def test_the_super_resolver_is_trained_on_pairs(make_dsr, pack, monkeypatch):
    module = make_dsr()
    module.recipe = replace(module.recipe, degradation=module.recipe.degradation.model_copy(update={"real": 1.0}))
    seen = []
    monkeypatch.setattr(module, "terms", lambda restored, hr, size, *others: (seen.append((hr, size)), 1 / 0))
    monkeypatch.setattr(module, "restore", lambda network, small: seen.append(small.enlarged) or small.enlarged)
    with pytest.raises(ZeroDivisionError):
        module.losses(module.prepared([batch_of(pack, [4, 5])])[0])
    enlarged, (hr, size) = seen
    assert size.tolist() == [14, 14]
    for place, row in enumerate((4, 5)):
        face = to_float(pack.batch([row]))[0]
        assert torch.equal(hr[place], face) or torch.equal(hr[place], face.flip(-1))
        assert (enlarged[place] - row / 255).abs().amin(dim=0).min() < 1e-3


def test_the_recogniser_is_tuned_on_pairs(make_edgeface, pack):
    recipe = make_edgeface(mix=MixSettings(sr=1, bicubic=1, hr=1)).recipe
    batch = batch_of(pack, np.arange(24))
    real = draw_real(batch, 1.0, generator())
    hr = real.put_hr(augmented_by(batch, draw_augmentation(AugmentationSettings(), len(batch.rows), generator())))
    restored = []

    def restore(small):
        restored.append(small)
        return torch.full_like(small.enlarged, 0.123)

    made = mixed(hr, recipe, restore, generator(), real=real)
    kept = (made == hr).all(dim=(1, 2, 3))
    sr = (made == 0.123).all(dim=(1, 2, 3))
    small = real.small.enlarged.clamp(0, 1)
    assert torch.equal(made[~kept & ~sr], small[~kept & ~sr])
    assert torch.equal(restored[0].enlarged, real.small.enlarged[sr])
    assert min(kept.sum(), sr.sum(), (~kept & ~sr).sum()) > 2


def test_a_fixed_set_shows_every_face_in_its_vlr_image_too(pack):
    rows = pack.rows(superres="train")[:4]
    made = validation_set(pack.faces, rows, rows, 24, vlr=pack.vlr)
    assert made.real.sum() == 4
    assert set(made.size[made.real]) == {14}
    small, hr = made.small(slice(2, 20), torch.device("cpu"))
    for place, (owner, real) in enumerate(zip(made.owner[2:20], made.real[2:20], strict=True)):
        assert torch.equal(hr[place], to_float(pack.batch(rows[[owner]]))[0])
        given = small_faces(to_float(pack.vlr_batch(rows[[owner]]))).enlarged[0]
        assert torch.allclose(small.enlarged[place], given) == real
    assert np.array_equal(made.take(np.array([0, 3])).size, made.size[[0, 3]])
