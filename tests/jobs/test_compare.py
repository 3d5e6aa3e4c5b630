"""`compare`: two pairs on the same probes."""

QUICK = ("--preset", "smoke", "--overrides", "measure.replicates=100")


def test_a_pair_against_bicubic(job, project):
    ended = job("compare", *QUICK)

    assert ended.code == 0, ended.err
    run = project.run("compare")
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
