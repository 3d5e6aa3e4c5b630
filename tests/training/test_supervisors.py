"""Several supervisors as one, and the judge."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrface.images.ranges import to_float
from lrface.models.edgeface.network import EdgeFace
from lrface.training.loop.fit import fit
from lrface.training.losses.terms import contrast_loss, feature_matching_loss, identity_loss
from lrface.training.settings import DsrOptimSettings
from lrface.training.supervisors import Ensemble, Judge
from lrface.training.validation import recognition_metrics


@pytest.fixture(scope="module")
def members():
    return [EdgeFace("xxs", seed=seed, layer_scale=1.0).requires_grad_(False).eval() for seed in (1, 2)]


@pytest.fixture
def faces(generator):
    return torch.rand(3, 3, 112, 112, generator=generator), torch.rand(3, 3, 112, 112, generator=generator)


def grey(images):
    """A judge that gives no gradients: the face as 4 x 4 grey squares."""
    with torch.no_grad():
        squares = F.adaptive_avg_pool2d(images.mean(1, keepdim=True), 4).flatten(1)
        return F.normalize(squares - squares.mean(1, keepdim=True))


def test_the_cosine_is_the_mean_of_the_members(members, faces):
    ensemble = Ensemble(members)
    ours, theirs = (ensemble(images) for images in faces)
    cosines = [(member(faces[0]) * member(faces[1])).sum(1) for member in members]
    torch.testing.assert_close((ours * theirs).sum(1), torch.stack(cosines).mean(0))
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))
    assert ours.shape == (3, ensemble.width) == (3, 1024)
    torch.testing.assert_close(ensemble.embed_with_features(faces[0])[0], ours)


def test_identity_and_features_are_the_mean_of_the_members_terms(members, faces):
    (ours, features), (theirs, wanted) = (Ensemble(members).embed_with_features(images) for images in faces)
    apart = [[member.embed_with_features(images) for images in faces] for member in members]
    identity = torch.stack([identity_loss(one[0], two[0]) for one, two in apart]).mean()
    feature = torch.stack([feature_matching_loss(one[1], two[1]) for one, two in apart]).mean()
    torch.testing.assert_close(identity_loss(ours, theirs), identity)
    torch.testing.assert_close(feature_matching_loss(features, wanted), feature)
    assert float(contrast_loss(ours, ours)) < float(contrast_loss(ours, theirs))


def test_every_member_is_obeyed_and_none_is_changed(make_dsr, members, tools, tmp_path):
    before = [tools.state(member) for member in members]
    ends = [
        fit(make_dsr(supervisor=supervisor, epochs=2, folder=tmp_path / str(place)), tools.cpu).history[-1]
        for place, supervisor in enumerate((Ensemble(members), *members))
    ]
    assert len({end["loss_l1"] for end in ends}) == 3
    module = make_dsr(supervisor=Ensemble(members))
    assert all(tools.same(tools.state(member), state) for member, state in zip(members, before, strict=True))
    assert not any("members" in name for name in module.state_dict())


def test_the_judge_is_asked_and_changes_nothing(make_dsr, tools, tmp_path):
    plain, judged = (make_dsr(epochs=2, folder=tmp_path / str(judge is None), judge=judge) for judge in (None, grey))
    ends = [fit(module, tools.cpu).history[-1] for module in (plain, judged)]
    assert tools.same(tools.state(plain.dsr), tools.state(judged.dsr))
    own = {name for name in ends[1] if name.startswith("judge_")}
    assert own >= {"judge_similarity", "judge_effective_rank"}
    assert {name: value for name, value in ends[1].items() if name not in own} == ends[0]


def test_the_judges_figures_are_those_of_recognition(make_dsr):
    module = make_dsr(judge=grey)
    found = module.validate()
    validation = module.data.validation
    probes = []
    for part in validation.batches(64):
        small, _ = validation.small(part, torch.device("cpu"))
        probes.append(grey(module.restore(module.trained().eval(), small).clamp(0, 1)))
    wanted = recognition_metrics(torch.cat(probes), grey(to_float(validation.hr)), validation.owner, validation.people)
    assert {name: found[f"judge_{name}"] for name in wanted} == pytest.approx(wanted)
    again = module.validate()
    assert again == found


def test_the_best_state_is_the_one_that_the_judge_likes(make_dsr):
    module = make_dsr(judge=grey, optim=DsrOptimSettings(lr=1e-3, select="judge"))
    liked = {"psnr": 1.0, "dprime": 0.0, "similarity": 0.0, "judge_tar_at_far_1e-2": 0.9, "judge_dprime": 2.0}
    assert module.score({**liked, "judge_similarity": 0.5}) == [0.9, 2.0]
    assert module.score({"psnr": 1.0, "similarity": 0.9, "judge_similarity": 0.5}) == [0.0, 0.5]


def test_a_judge_forgets_what_it_was_shown_before(generator):
    faces = (torch.rand(4, 112, 112, 3, generator=generator).numpy() * 255).astype(np.uint8)
    people, owner = np.array([0, 0, 1, 1]), np.arange(4)
    judge = Judge(grey, faces, people)
    shown = to_float(faces)
    judge.look(shown.flip(0))
    judge.metrics(owner, torch.device("cpu"))
    judge.look(shown)
    assert judge.metrics(owner, torch.device("cpu"))["judge_similarity"] == pytest.approx(1.0)
