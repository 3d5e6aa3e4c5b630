import itertools
import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import MarginSettings

CLASSES = 5


@pytest.fixture
def embeddings(generator):
    return F.normalize(torch.randn(12, 512, generator=generator))


@pytest.fixture
def labels():
    return torch.arange(12) % CLASSES


def head_of(seed=1, **settings):
    return MarginHead(MarginSettings(**settings), CLASSES, torch.Generator().manual_seed(seed))


def by_hand(logits, labels):
    return -torch.log_softmax(logits, dim=1)[torch.arange(len(labels)), labels].mean()


def cosines(embeddings, head):
    return F.normalize(embeddings.double()) @ F.normalize(head.centres.double(), dim=0)


def test_arcface_is_the_formula_at_three_tenths_of_a_radian(embeddings, labels):
    head = head_of(kind="arcface", scale=32.0, margin=0.3)
    angle = cosines(embeddings, head).acos()
    logits = 32 * (angle + 0.3 * F.one_hot(labels, CLASSES)).cos()
    assert head(embeddings, labels).item() == pytest.approx(by_hand(logits, labels).item(), rel=1e-4)


def test_cosface_takes_the_margin_from_the_cosine(embeddings, labels):
    head = head_of(kind="cosface", scale=16.0, margin=0.2)
    logits = 16 * (cosines(embeddings, head) - 0.2 * F.one_hot(labels, CLASSES))
    assert head(embeddings, labels).item() == pytest.approx(by_hand(logits, labels).item(), rel=1e-4)


def test_the_nearest_sub_centre_speaks_for_its_class(embeddings, labels):
    head = head_of(kind="subcentre", scale=32.0, margin=0.3, sub_centres=3)
    nearest = cosines(embeddings, head).view(-1, CLASSES, 3).amax(-1)
    logits = 32 * (nearest.acos() + 0.3 * F.one_hot(labels, CLASSES)).cos()
    assert head(embeddings, labels).item() == pytest.approx(by_hand(logits, labels).item(), rel=1e-4)
    assert torch.equal(head.predict(embeddings), nearest.argmax(1))


def test_a_margin_makes_it_harder(embeddings, labels):
    assert head_of(margin=0.3)(embeddings, labels) > head_of(margin=0.0)(embeddings, labels)


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
def test_centres_start_at_the_mean_of_their_class(kind, generator):
    people = F.normalize(torch.randn(CLASSES, 512, generator=generator))
    labels = torch.arange(CLASSES).repeat(4)
    images = F.normalize(people[labels] + 0.01 * torch.randn(len(labels), 512, generator=generator))
    head = head_of(kind=kind, sub_centres=2)
    assert (head.predict(people) == torch.arange(CLASSES)).float().mean() < 1
    head.start_at_centres(images, labels, generator)
    assert torch.equal(head.predict(people), torch.arange(CLASSES))
    each = 2 if kind == "subcentre" else 1
    means = F.normalize(torch.stack([images[labels == person].mean(0) for person in range(CLASSES)]))
    near = (head.centres.T.view(CLASSES, each, 512) * means[:, None]).sum(-1)
    assert near.min() > (0.99 if each > 1 else 0.99999)
    torch.testing.assert_close(head.centres.norm(dim=0), torch.ones(CLASSES * each))
    if each > 1:
        assert not torch.equal(head.centres[:, 0], head.centres[:, 1])


def test_a_class_without_images_keeps_its_random_start(embeddings, generator):
    head, before = head_of(), head_of().centres.detach()
    head.start_at_centres(embeddings[:4], torch.tensor([0, 1, 2, 4]), generator)
    assert torch.equal(head.centres[:, 3], before[:, 3])
    assert not torch.equal(head.centres[:, 2], before[:, 2])


def test_the_random_start_is_the_seeds(embeddings):
    assert torch.equal(head_of(seed=1).centres, head_of(seed=1).centres)
    assert not torch.equal(head_of(seed=1).centres, head_of(seed=2).centres)


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
def test_the_loss_is_single_precision_under_autocast(embeddings, labels, kind):
    head = head_of(kind=kind)
    plain = head(embeddings, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head(embeddings, labels)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain)


def test_half_precision_embeddings_are_lifted(embeddings, labels):
    head = head_of()
    loss = head(embeddings.bfloat16(), labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(head(embeddings.bfloat16().float(), labels).item())
    assert head.centres.dtype == torch.float32


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
def test_gradients_agree_with_finite_differences(kind, generator):
    head = head_of(kind=kind, scale=8.0).double()
    embeddings = torch.randn(2, 512, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([1, 3])
    (gradient,) = torch.autograd.grad(head(embeddings, labels), embeddings)
    assert gradient.dtype == torch.float64
    for _ in range(3):
        direction = torch.randn(2, 512, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            ahead, behind = (head(embeddings + sign * 1e-6 * direction, labels) for sign in (1, -1))
        assert (gradient * direction).sum().item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-5)


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_embedding_on_its_centre_or_opposite_has_a_finite_gradient(kind, sign):
    head = head_of(kind=kind)
    embeddings = torch.zeros(1, 512)
    embeddings[0, 7] = 1.0
    with torch.no_grad():
        head.centres.copy_(sign * embeddings.T.expand_as(head.centres))
    embeddings.requires_grad_()
    head(embeddings, torch.tensor([2])).backward()
    assert embeddings.grad.isfinite().all()
    assert head.centres.grad.isfinite().all()


def test_beyond_the_half_turn_the_loss_still_grows(generator):
    head = head_of(margin=0.3)
    centres = F.normalize(head.centres.detach(), dim=0)
    orthogonal = torch.linalg.qr(torch.cat([centres, torch.randn(512, 1, generator=generator)], dim=1))[0]
    with torch.no_grad():
        head.centres.copy_(orthogonal[:, :CLASSES])
    centre, aside = orthogonal[:, 0], orthogonal[:, CLASSES]
    angles = torch.linspace(0.01, math.pi - 0.01, 60).unsqueeze(1)
    with torch.no_grad():
        losses = [
            head(turned[None], torch.tensor([0])).item() for turned in centre * angles.cos() + aside * angles.sin()
        ]
    assert all(later >= earlier for earlier, later in itertools.pairwise(losses))
    assert all(later > earlier for earlier, later in itertools.pairwise(losses[20:]))


@pytest.mark.parametrize("nonsense", [{"scale": 0}, {"margin": -0.1}, {"margin": 2.0}, {"kind": "softmax"}])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        MarginSettings(**nonsense)


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
def test_a_sample_of_every_class_is_the_whole_loss(embeddings, labels, kind):
    head = head_of(kind=kind)
    whole = head(embeddings, labels)
    (wanted,) = torch.autograd.grad(whole, head.centres)
    every = head(embeddings, labels, torch.arange(CLASSES))
    (got,) = torch.autograd.grad(every, head.centres)
    torch.testing.assert_close(every, whole)
    torch.testing.assert_close(got, wanted)
    assert torch.equal(head.predict(embeddings, torch.arange(CLASSES)), head.predict(embeddings))
    assert head.loss.num_classes == CLASSES


@pytest.mark.parametrize("kind", ["arcface", "cosface", "subcentre"])
def test_a_sample_is_the_loss_of_a_head_that_has_those_classes_alone(embeddings, kind):
    head, labels, classes = head_of(kind=kind), torch.tensor([1, 4] * 6), torch.tensor([1, 2, 4])
    each = 3 if kind == "subcentre" else 1
    few = MarginHead(MarginSettings(kind=kind), 3, torch.Generator())
    with torch.no_grad():
        few.centres.copy_(torch.cat([head.centres[:, each * c : each * (c + 1)] for c in classes], dim=1))
    loss = head(embeddings, labels, classes)
    torch.testing.assert_close(loss, few(embeddings, torch.tensor([0, 2] * 6)))
    (gradient,) = torch.autograd.grad(loss, head.centres)
    moved = gradient.abs().sum(0).view(CLASSES, each).sum(1) > 0
    assert moved[[1, 4]].all()
    assert not moved[[0, 3]].any()
    assert set(head.predict(embeddings, classes).tolist()) <= {1, 2, 4}


def test_a_sample_holds_the_classes_of_the_batch_and_others_evenly():
    head = MarginHead(MarginSettings(sample=0.3), 20, torch.Generator().manual_seed(0))
    generator, counts = torch.Generator().manual_seed(2), torch.zeros(20)
    for _ in range(400):
        classes = head.sampled(torch.tensor([7, 3, 7]), generator)
        assert classes.tolist() == sorted(set(classes.tolist()))
        assert len(classes) == 6
        counts[classes] += 1
    assert counts[[3, 7]].tolist() == [400, 400]
    others = counts[[c for c in range(20) if c not in (3, 7)]]
    assert 60 < others.min() <= others.max() < 120
    assert len(head.sampled(torch.arange(9), generator)) == 9
    assert head_of().sampled(torch.tensor([0]), generator) is None
