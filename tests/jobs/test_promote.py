"""`promote`: the decision, the aliases, and the way back."""

QUICK = ("--preset", "smoke")


def test_a_refusal_is_recorded_and_leaves_the_champion_alone(job, project):
    ended = job("promote", *QUICK)

    assert ended.code == 0, ended.err
    count, aliases = project.registry()["lrface"]
    assert "champion" not in aliases
    assert aliases["challenger"] == count
    pair = project.client.get_model_version("lrface", str(count))
    assert pair.tags["verdict"] in {"keep", "tune", "revert", "refused"}
    assert pair.tags["verdict_reason"] in ended.out
    assert "verdict.txt" in project.artifacts(project.run("promote"))


def test_files_cannot_be_promoted(job, project, tmp_path):
    exported = job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(tmp_path))
    assert exported.code == 0, exported.err
    before = project.registry()

    line = job("promote", *QUICK, "--edgeface", str(tmp_path / "edgeface")).refused()

    assert "two versions in the registry" in line
    assert project.registry() == before


def test_without_an_earlier_champion_there_is_no_way_back(job, project):
    before = project.registry()

    line = job("promote", "--rollback", "true").refused()

    assert "no earlier champion" in line
    assert project.registry() == before
