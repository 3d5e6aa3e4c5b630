"""`compare`: two pairs on the same probes."""

QUICK = ("--preset", "smoke", "--overrides", "measure.replicates=100")


def test_a_pair_of_the_registry_against_bicubic_with_weights_from_a_path(job, project, tmp_path):
    assert job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(tmp_path)).code == 0

    ended = job("compare", *QUICK, "--edgeface_b", str(tmp_path / "edgeface"), "--dsr_b", "none")

    assert ended.code == 0, ended.err
    run = project.run("compare")
    assert "verdict: " in ended.out
    assert "gate gain_low.champion" in ended.out
    report = project.artifacts(run, "evaluation")
    metrics = run.data.metrics
    assert ("only_first_1.png" in report or "only_second_1.png" in report) or metrics["compare/rank1"] == 0.0
    assert "rank1" in ended.out
    assert any(name.startswith("compare/") for name in run.data.metrics)
    assert "comparison.txt" in project.artifacts(run)
    assert project.registry()["lrface"][0] == 1


def test_a_pair_against_itself_differs_in_nothing(job, project):
    same = ("models:/edgeface@finetuned", "models:/dsr@cycle")

    ended = job(
        "compare", *QUICK, "--edgeface_a", same[0], "--dsr_a", same[1], "--edgeface_b", same[0], "--dsr_b", same[1]
    )

    assert ended.code == 0, ended.err
    figures = {
        name: value for name, value in project.run("compare").data.metrics.items() if name.startswith("compare/")
    }
    assert figures
    assert set(figures.values()) == {0.0}
