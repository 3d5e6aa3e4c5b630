"""`train_dsr`: whose supervision decides the alias, and what a version records."""

SMALL = ("--preset", "smoke", "--epochs", "1")


def test_a_pretrained_supervisor_makes_a_baseline(job, project):
    ended = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@pretrained")

    assert ended.code == 0, ended.err
    version = project.version("dsr", "baseline")
    assert version.tags["supervisor"] == "models:/edgeface/1"
    assert project.registry()["dsr"] == (3, {"baseline": 3, "cycle": 2})
    assert project.run("train_dsr baseline").data.params["loop.epochs"] == "1"


def test_a_finetuned_supervisor_makes_a_cycle(job, project):
    ended = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@finetuned", "--overrides", "loss.l1=2 dsr=edge")

    assert ended.code == 0, ended.err
    version = project.version("dsr", "cycle")
    tuned = project.version("edgeface", "finetuned")
    assert version.tags["supervisor"] == f"models:/edgeface/{tuned.version}"
    assert version.tags["supervisor_sha256"] == tuned.tags["weights_sha256"]
    assert version.tags["supervisor_super_resolver"] == tuned.tags["super_resolver"]
    assert project.run("train_dsr cycle").data.params["loss.l1"] == "2.0"


def test_no_epochs_move_no_alias(job, project):
    before = project.registry()["dsr"]

    ended = job("train_dsr", *SMALL[:2], "--epochs", "0", "--edgeface", "models:/edgeface@pretrained")

    assert ended.code == 0, ended.err
    assert project.registry()["dsr"] == (before[0] + 1, before[1])
    assert "warning: untrained: " in ended.out


def test_epochs_alone_leave_the_documented_defaults(job, project):
    """A parameter must not bring its group back to other values than the job's own."""
    line = job("train_dsr", "--epochs", "-3").refused()

    assert "loop.epochs" in line
    assert "required" not in line
