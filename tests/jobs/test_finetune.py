"""`finetune`: what it starts from, what it is fed with, and the second cycle that is refused."""

SMALL = ("--preset", "smoke", "--epochs", "1")


def test_without_a_super_resolver_it_learns_from_bicubic(job, project):
    ended = job("finetune", *SMALL, "--dsr", "none", "--overrides", "mix.sr=0 mix.bicubic=0.5 mix.hr=0.5")

    assert ended.code == 0, ended.err
    version = project.version("edgeface", "finetuned")
    assert version.tags["super_resolver"] == "bicubic"
    assert version.tags["start"] == "models:/edgeface/1"
    assert version.tags["cycle"] == "1"


def test_a_second_cycle_is_refused_until_asked_for(job, project):
    tuned = job("finetune", *SMALL, "--edgeface", "models:/edgeface/2", "--dsr", "models:/dsr@cycle", "--seed", "2")
    assert tuned.code == 0, tuned.err
    version = project.version("edgeface", "finetuned")
    assert version.tags["cycle"] == "2"
    before = project.registry()

    line = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@finetuned").refused()

    assert "allow_second_cycle=true" in line
    assert project.registry() == before
