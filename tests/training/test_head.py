import pytest
import torch
from torch.nn import functional as F

from lrface.images.ranges import to_float
from lrface.training.head import cached_embeddings, train_head
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import MarginSettings
from lrface.training.settings import HeadSettings, MixSettings


@pytest.fixture
def embedded(generator):
    people = F.normalize(torch.randn(6, 512, generator=generator))
    labels = torch.arange(6).repeat(5)
    return F.normalize(people[labels] + 0.05 * torch.randn(30, 512, generator=generator)), labels


def head_of(seed=1):
    return MarginHead(MarginSettings(), 6, torch.Generator().manual_seed(seed))


def test_each_face_is_embedded_once_as_it_is_and_once_mirrored(make_edgeface, recogniser, tools):
    module = make_edgeface(mix=MixSettings(sr=0, bicubic=0, hr=1))
    done = []
    embeddings, labels = cached_embeddings(
        recogniser, None, module.data, module.recipe, torch.Generator().manual_seed(0), tools.cpu,
        lambda *told: done.append(told),
    )  # fmt: skip
    count = len(module.data.rows)
    assert embeddings.shape == (2 * count, 512)
    assert not embeddings.requires_grad
    assert done[-1] == (count, count)
    faces = to_float(module.data.pack.batch(module.data.rows[:3]))
    torch.testing.assert_close(embeddings[:3], recogniser(faces), atol=1e-5, rtol=0)
    torch.testing.assert_close(embeddings[count : count + 3], recogniser(faces.flip(-1)), atol=1e-5, rtol=0)
    assert labels.tolist() == [*module.data.people, *module.data.people]


def test_the_cache_is_a_function_of_its_generator(make_edgeface, recogniser, tools):
    module = make_edgeface(mix=MixSettings(sr=0, bicubic=1, hr=1))
    one, two, other = (
        cached_embeddings(
            recogniser, None, module.data, module.recipe, torch.Generator().manual_seed(seed), tools.cpu
        )[0]
        for seed in (0, 0, 1)
    )  # fmt: skip
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_the_head_learns_from_a_random_start(embedded):
    head, (embeddings, labels) = head_of(), embedded
    assert (head.predict(embeddings) == labels).float().mean() < 0.9
    history = train_head(head, embeddings, labels, HeadSettings(epochs=20, lr=0.05), 8, 0)
    assert len(history) == 20
    assert history[-1]["accuracy"] == 1
    assert history[-1]["loss_arcface"] < 0.1 * history[0]["loss_arcface"]


def test_class_centres_are_right_from_the_first_epoch(embedded, generator):
    head = head_of()
    head.start_at_centres(*embedded, generator)
    assert train_head(head, *embedded, HeadSettings(epochs=1), 8, 0)[0]["accuracy"] == 1


def test_the_training_is_its_seeds(embedded):
    heads = [head_of(), head_of(), head_of()]
    histories = [
        train_head(head, *embedded, HeadSettings(epochs=2), 8, seed)
        for head, seed in zip(heads, (0, 0, 1), strict=True)
    ]
    assert histories[0] == histories[1]
    assert torch.equal(heads[0].centres, heads[1].centres)
    assert not torch.equal(heads[0].centres, heads[2].centres)


def test_no_epochs_leave_the_centres(embedded):
    head = head_of()
    assert train_head(head, *embedded, HeadSettings(epochs=0), 8, 0) == []
    assert torch.equal(head.centres, head_of().centres)
