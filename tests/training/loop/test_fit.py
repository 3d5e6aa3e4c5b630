import os
import random
import runpy
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch

from lrface.errors import TrainingError
from lrface.training.loop.fit import LAST, fit


class KilledError(Exception):
    """Stands for whatever ends a process in the middle of an epoch."""


def die_in_epoch(module, epoch, step=1):
    plain = module.losses

    def losses(batch):
        if module.current_epoch == epoch and batch.step == step:
            raise KilledError
        return plain(batch)

    module.losses = losses


@pytest.fixture(params=["dsr", "edgeface"])
def make(request, make_dsr, make_edgeface):
    return {"dsr": make_dsr, "edgeface": make_edgeface}[request.param]


@pytest.fixture
def reference(make, tools, tmp_path):
    """An undisturbed training of three epochs."""
    module = make(folder=tmp_path / "undisturbed", report=tools.notes(), epochs=3)
    outcome = fit(module, tools.cpu)
    return outcome, tools.state(module), torch.load(tmp_path / "undisturbed" / LAST, weights_only=True)


def assert_like(reference, outcome, module, tools):
    wanted, state, _ = reference
    assert outcome.history == wanted.history
    assert outcome.best_epoch == wanted.best_epoch
    assert outcome.best == wanted.best
    assert tools.same(tools.state(module), state)


def test_the_same_seed_gives_the_same_training_and_another_seed_another(make, reference, tools, tmp_path):
    again = make(folder=tmp_path / "again", epochs=3)
    assert_like(reference, fit(again, tools.cpu), again, tools)
    other = make(folder=tmp_path / "other", epochs=1, seed=1)
    assert fit(other, tools.cpu).history[0]["train_loss"] != reference[0].history[0]["train_loss"]


def test_a_killed_training_goes_on_as_if_nothing_had_happened(make, reference, tools, tmp_path):
    folder = tmp_path / "killed"
    for epoch in (1, 2):
        module = make(folder=folder, epochs=3)
        die_in_epoch(module, epoch)
        with pytest.raises(KilledError):
            fit(module, tools.cpu)
    notes = tools.notes()
    module = make(folder=folder, epochs=3, report=notes)
    assert_like(reference, fit(module, tools.cpu), module, tools)
    assert [epoch for epoch, _ in notes.values if "train/loss" in _] == [2]
    ours, theirs = torch.load(folder / LAST, weights_only=True), reference[2]
    assert ours["lr_schedulers"] == theirs["lr_schedulers"]
    assert ours["global_step"] == theirs["global_step"]
    assert tools.same(ours["state_dict"], theirs["state_dict"])
    for mine, wanted in zip(
        ours["optimizer_states"][0]["state"].values(), theirs["optimizer_states"][0]["state"].values(), strict=True
    ):
        assert tools.same(mine, wanted)


def test_a_moved_folder_goes_on_and_keeps_one_checkpoint(make, reference, tools, tmp_path):
    module = make(folder=tmp_path / "here", epochs=3)
    die_in_epoch(module, 1)
    with pytest.raises(KilledError):
        fit(module, tools.cpu)
    (tmp_path / "here").rename(tmp_path / "there")
    module = make(folder=tmp_path / "there", epochs=3)
    assert_like(reference, fit(module, tools.cpu), module, tools)
    assert [path.name for path in (tmp_path / "there").iterdir()] == [LAST]


def test_a_training_that_had_ended_is_not_trained_again(make, reference, tools, tmp_path):
    module = make(folder=tmp_path / "undisturbed", epochs=3)
    module.losses = None
    assert_like(reference, fit(module, tools.cpu), module, tools)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_damaged_checkpoint_is_told_in_one_line_and_the_training_starts_over(make_dsr, tools, tmp_path, size):
    whole = make_dsr(folder=tmp_path / "whole", epochs=2, report=tools.notes())
    wanted = fit(whole, tools.cpu)
    last = tmp_path / "whole" / LAST
    last.write_bytes(last.read_bytes()[:size])
    notes = tools.notes()
    module = make_dsr(folder=tmp_path / "whole", epochs=2, report=notes)
    assert fit(module, tools.cpu).history == wanted.history
    (line,) = [line for line in notes.lines if "starts over" in line]
    assert str(last) in line
    assert "\n" not in line


def test_a_checkpoint_of_something_else_is_told_too(make_dsr, tools, tmp_path, notes):
    (tmp_path / "dsr").mkdir()
    torch.save({"state_dict": {}}, tmp_path / "dsr" / LAST)
    fit(make_dsr(epochs=1), tools.cpu)
    assert "starts over" in notes.lines[0]


def test_a_checkpoint_is_never_unpickled_freely(make_dsr, tools, tmp_path, notes):
    (tmp_path / "dsr").mkdir()
    torch.save({"lrface": Path("harm")}, tmp_path / "dsr" / LAST)
    fit(make_dsr(epochs=1), tools.cpu)
    assert "starts over" in notes.lines[0]


def test_a_kill_while_the_checkpoint_is_written_leaves_the_one_before(make_dsr, tools, tmp_path, monkeypatch):
    wanted = fit(make_dsr(folder=tmp_path / "undisturbed", epochs=3), tools.cpu)
    folder, plain, calls = tmp_path / "killed", torch.save, []

    def torn(content, stream):
        calls.append(1)
        if len(calls) == 2:
            stream.write(b"half of a checkpoint")
            raise KilledError
        plain(content, stream)

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(KilledError):
        fit(make_dsr(folder=folder, epochs=3), tools.cpu)
    monkeypatch.undo()
    assert len(torch.load(folder / LAST, weights_only=True)["lrface"]["history"]) == 1
    notes = tools.notes()
    assert fit(make_dsr(folder=folder, epochs=3, report=notes), tools.cpu).history == wanted.history
    assert not any("starts over" in line for line in notes.lines)


def test_a_kill_between_a_new_best_and_its_checkpoint_mixes_no_epochs(make_dsr, tools, tmp_path, monkeypatch):
    """On a GPU the epoch that is trained again need not come out the same, and may not be the best any more."""
    module = make_dsr(epochs=2)
    scores = iter([[1.0], [2.0], [3.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    plain = module.on_train_epoch_end

    def end():
        plain()
        if module.current_epoch == 1:
            raise KilledError

    monkeypatch.setattr(module, "on_train_epoch_end", end)
    with pytest.raises(KilledError):
        fit(module, tools.cpu)
    kept = torch.load(module.folder / LAST, weights_only=True)["lrface"]["best_state"]
    again = make_dsr(epochs=2)
    monkeypatch.setattr(again, "score", lambda metrics: [0.0])
    assert fit(again, tools.cpu).best_epoch == 0
    assert tools.same(tools.state(again.trained()), kept)


def test_the_network_ends_at_its_best_state(make_dsr, tools, monkeypatch):
    module = make_dsr(epochs=3)
    scores, states = iter([[0.0], [1.0], [5.0], [4.0]]), []
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    plain = module.validate

    def validate():
        states.append(tools.state(module.trained()))
        return plain()

    monkeypatch.setattr(module, "validate", validate)
    outcome = fit(module, tools.cpu)
    assert outcome.best_epoch == 1
    assert outcome.best == outcome.history[1]
    assert tools.same(tools.state(module.trained()), states[2])
    assert not tools.same(states[2], states[3])


def test_a_training_that_only_makes_it_worse_ends_where_it_started(make_dsr, tools, monkeypatch):
    module = make_dsr(epochs=2)
    before = tools.state(module.trained())
    scores = iter([[9.0], [1.0], [2.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    outcome = fit(module, tools.cpu)
    assert outcome.best_epoch == -1
    assert outcome.best == module.start_metrics
    assert tools.same(tools.state(module.trained()), before)


def test_a_start_that_was_never_trained_is_not_what_is_kept(make_dsr, tools, monkeypatch):
    module = make_dsr(epochs=2)
    module.start_competes = False
    before = tools.state(module.trained())
    scores = iter([[1.0], [2.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    outcome = fit(module, tools.cpu)
    assert outcome.best_epoch == 1
    assert outcome.best == outcome.history[1]
    assert module.start_metrics
    assert not tools.same(tools.state(module.trained()), before)


def test_early_stop_counts_epochs_without_a_new_best(make_dsr, tools, notes, monkeypatch):
    module = make_dsr(epochs=10, patience=2)
    scores = iter([[0.0], [3.0], [2.0], [1.0], [4.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    assert fit(module, tools.cpu).epochs == 3
    assert notes.lines[-1] == "no new best for 2 epochs: stopping"
    again = make_dsr(epochs=10, patience=2)
    again.losses = None
    outcome = fit(again, tools.cpu)
    assert (outcome.epochs, outcome.best_epoch) == (3, 0)
    assert tools.same(tools.state(again.trained()), tools.state(module.trained()))


def test_patience_is_counted_across_a_kill(make_dsr, tools, monkeypatch):
    module = make_dsr(epochs=10, patience=3)
    die_in_epoch(module, 2)
    scores = iter([[5.0], [1.0], [2.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    with pytest.raises(KilledError):
        fit(module, tools.cpu)
    again = make_dsr(epochs=10, patience=3)
    monkeypatch.setattr(again, "score", lambda metrics: [3.0])
    assert fit(again, tools.cpu).epochs == 3


def test_no_epochs_leave_the_network_alone(make, tools):
    module = make(epochs=0)
    before = tools.state(module)
    outcome = fit(module, tools.cpu)
    assert (outcome.epochs, outcome.best_epoch, outcome.best) == (0, -1, {})
    assert tools.same(tools.state(module), before)


def test_progress_reaches_its_end_across_a_kill(make_dsr, tools):
    module = make_dsr(epochs=2)
    die_in_epoch(module, 1)
    with pytest.raises(KilledError):
        fit(module, tools.cpu)
    told = []
    fit(make_dsr(epochs=2), tools.cpu, lambda done, total: told.append((done, total)))
    assert told == [(3, 4), (4, 4)]


def test_an_interrupt_comes_through_and_the_same_call_goes_on(make_dsr, tools):
    module = make_dsr(epochs=2)
    plain = module.losses

    def losses(batch):
        if module.current_epoch == 1:
            raise KeyboardInterrupt
        return plain(batch)

    module.losses = losses
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(module, tools.cpu)
    assert signal.getsignal(signal.SIGINT) is handler
    assert fit(make_dsr(epochs=2), tools.cpu).epochs == 2


def test_an_exit_that_is_no_interrupt_stays_one(make_dsr, tools):
    module = make_dsr(epochs=1)

    def losses(batch):
        raise SystemExit(3)

    module.losses = losses
    with pytest.raises(SystemExit, match="3"):
        fit(module, tools.cpu)


def test_the_process_is_left_as_it_was(make_dsr, tools):
    fit(make_dsr(epochs=1), tools.cpu)
    assert not torch.are_deterministic_algorithms_enabled()
    assert threading.active_count() < 10


def test_an_error_of_the_training_leaves_the_best_state(make_dsr, tools, monkeypatch):
    module = make_dsr(epochs=3)
    scores = iter([[0.0], [1.0]])
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    best = []
    plain = module.losses

    def losses(batch):
        if module.current_epoch == 1:
            best[:] = best or [tools.state(module.trained())]
            values = plain(batch)
            return {**values, "loss": values["loss"] * torch.nan}
        return plain(batch)

    module.losses = losses
    with pytest.raises(TrainingError):
        fit(module, tools.cpu)
    assert tools.same(tools.state(module.trained()), best[0])


SCRIPT = """
    import pathlib, sys
    import torch
    from torch import nn
    from lrface.data.pack.pack import open_pack
    from lrface.images.augmentation import AugmentationSettings
    from lrface.images.degradation.degradation import DegradationSettings
    from lrface.training.losses.perceptual import PerceptualSettings
    from lrface.training.losses.weighted import DsrLossSettings
    from lrface.models.dsr.network import DSR, DsrSettings
    from lrface.training.dsr import DsrData, DsrOptimSettings, DsrRecipe, DsrTraining
    from lrface.training.loop.fit import fit
    from lrface.training.settings import LoopSettings
    from lrface.training.validation import validation_set

    class Pooled(nn.Module):
        def embed_with_features(self, images):
            small = nn.functional.adaptive_avg_pool2d(images, 14)
            return nn.functional.normalize(small.flatten(1) - 0.5), [small]

    class Lines:
        def metrics(self, values, epoch): pass
        def line(self, text): print(text, flush=True)
        def finding(self, finding): pass
        def image(self, name, image, epoch): pass

    def train(root, folder):
        pack = open_pack(pathlib.Path(root))
        val = pack.rows(superres="val")
        torch.manual_seed(7)
        training = DsrTraining(
            DSR("edge", DsrSettings(channels=(8,), blocks=(1,), attention_heads=2, finish=0)),
            Pooled(),
            DsrData(pack, (pack.rows(superres="train"),), (1.0,), 4,
                    validation_set(pack.faces, val, pack.labels(val)[0], 4)),
            DsrRecipe(LoopSettings(epochs=15, batch_size=2), DsrOptimSettings(ema=0.9),
                      DsrLossSettings(perceptual_network=PerceptualSettings(weights="none")),
                      DegradationSettings(), AugmentationSettings()),
            seed=0, report=Lines(), folder=pathlib.Path(folder),
            sheet=lambda rows, titles: rows[0][0], device=torch.device("cpu"))
        outcome = fit(training, torch.device("cpu"))
        return outcome, training

    if __name__ == "__main__":
        train(*sys.argv[1:])
"""


def test_a_process_killed_at_any_moment_goes_on_to_the_same_end(tiny_pack, tmp_path, tools, capsys):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    train = runpy.run_path(str(script))["train"]
    wanted, undisturbed = train(tiny_pack.root, tmp_path / "undisturbed")
    child = subprocess.Popen(
        [sys.executable, str(script), str(tiny_pack.root), str(tmp_path / "killed")],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with child:
        assert child.stdout.readline().startswith(b"dsr epoch 1/15")
        time.sleep(random.SystemRandom().uniform(0, 0.5))
        child.kill()
    assert child.returncode == -signal.SIGKILL
    capsys.readouterr()
    outcome, training = train(tiny_pack.root, tmp_path / "killed")
    assert "cannot be read" not in capsys.readouterr().out
    assert outcome.history == wanted.history
    assert outcome.best_epoch == wanted.best_epoch
    assert tools.same(tools.state(training), tools.state(undisturbed))


@pytest.fixture
def elsewhere(monkeypatch):
    """Lightning brings every network to the CPU at its end; here that is another precision, which can be seen."""

    def taken(module):
        plain = module.to
        monkeypatch.setattr(module, "cpu", lambda: plain(torch.float64))
        monkeypatch.setattr(module, "to", lambda *_, **__: plain(torch.float32))
        return module

    return taken


def precisions(module):
    return {value.dtype for value in module.trained().state_dict().values() if value.is_floating_point()}


def test_the_networks_are_where_the_job_wants_them_after_the_loop(make, tools, elsewhere):
    module = elsewhere(make(epochs=1))
    fit(module, tools.cpu)
    assert precisions(module) == {torch.float32}
    module.validate()


def test_an_error_leaves_the_networks_where_the_job_wants_them_too(make, tools, elsewhere):
    module = elsewhere(make(epochs=2))
    die_in_epoch(module, 1)
    with pytest.raises(KilledError):
        fit(module, tools.cpu)
    assert precisions(module) == {torch.float32}
