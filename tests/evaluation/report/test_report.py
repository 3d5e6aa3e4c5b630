import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Cell, Record
from lrface.evaluation.figures.run import embed_high, evaluate
from lrface.evaluation.figures.sweep import sweep
from lrface.evaluation.report import plots as figures
from lrface.evaluation.report.report import ReportInput, make_report, shown
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import compare
from lrface.evaluation.verdict.decision import decide

HEADLINE = Cell("bicubic-coarse", 8, "clean")


@pytest.fixture(scope="module")
def case(world):
    faces, names, paths = world.make_faces(subjects=8, images=4, noise=120.0)
    names = [name.replace("p1", "<p1>") for name in names]
    protocol = world.protocol_of(names, paths)
    arms = [
        world.ceiling("hr", world.fine),
        world.arm("bicubic", world.fine),
        world.arm("bicubic-coarse", world.coarse),
    ]
    return faces, arms, evaluate(faces, protocol, arms, [8, 12], settings=EvaluationSettings(replicates=100))


@pytest.fixture(scope="module")
def report(case, world):
    faces, arms, results = case
    against = compare(results, HEADLINE, results, Cell("bicubic", 8, "clean"))
    ceiling = Cell("hr", 112, "clean")
    verdict = decide(against, None, compare(results, ceiling, results, ceiling))
    embeddings = {"hr": embed_high(faces, results.protocol.pairs.rows, world.fine)}
    return make_report(
        ReportInput(
            results,
            HEADLINE,
            faces,
            arms,
            heading="Coarse & fine",
            verdict=verdict,
            comparisons=[against],
            embeddings=embeddings,
            versions={"lrface": "0.1.0"},
            licences=["faces: nobody's"],
        )
    )


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources, self.tags = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        values = dict(attributes)
        if tag == "img":
            self.sources.append(values["src"])
        assert not {"href", "onclick", "onload"} & set(values)
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_anywhere(report):
    reader = Reader()
    reader.feed(report.page)
    assert reader.open == []
    assert not {"script", "link", "iframe"} & reader.tags
    assert len(reader.sources) == len(report.figures)
    for source in reader.sources:
        kind, _, content = source.partition("base64,")
        assert kind == "data:image/png;"
        assert Image.open(io.BytesIO(base64.b64decode(content))).width > 100
    assert "http" not in re.sub(r"base64,[^\"]+", "", report.page)


def test_the_first_screen_has_the_verdict_the_arms_the_differences_and_faces(report):
    screen = report.page[report.page.index('class="first"') : report.page.index("<h2>")]
    wanted = ("Verdict", "Do not promote", "points of rank-1 over bicubic", "gain_low.bicubic", "rank-1 at full size")
    for words in (*wanted, "rank-1 of the four arms by size", "what the pair gains", "a face at three sizes"):
        assert words in screen
    assert "<details>" not in screen
    assert report.page.count("<details><summary>") >= 8
    assert "Worst failures" in report.page
    assert {"lead_rank1", "gains", "faces_1", "faces_2", "faces_3"} <= set(report.figures)


def test_figures_that_no_arm_could_tell_are_not_in_the_table(report, case):
    _, _, results = case
    silent = {entry.metric for entry in results.records} - {
        entry.metric for entry in results.records if entry.value is not None
    }
    assert silent
    table = report.page[report.page.index("All arms at") : report.page.index("All arms as curves")]
    assert not [metric for metric in silent if f"<td>{metric}" in table]


def test_the_page_reads_on_a_telephone_and_on_paper(report):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in report.page
    for rule in ("@media screen and (max-width: 760px)", "@media print", "break-inside: avoid"):
        assert rule in report.page


def test_protocol_versions_licences_and_notes_are_told(report, case):
    _, _, results = case
    assert results.protocol.digest in report.page
    assert "faces: nobody&#x27;s" in report.page
    assert "too few" in report.page
    assert "Coarse &amp; fine" in report.page


def test_names_of_subjects_cannot_break_the_page(report):
    assert "<p1>" not in report.page
    assert "&lt;p1&gt;" in report.page


def test_it_is_written_with_its_figures(report, tmp_path):
    paths = {path.name for path in report.save(tmp_path)}
    assert {"report.html", "curve_rank1.png", "roc.png", "cmc.png", "sweep.png", "faces.png"} <= paths
    assert not list(tmp_path.glob("*.partial"))


def test_an_evaluation_without_verdict_has_a_report_too(case):
    faces, arms, results = case
    page = make_report(ReportInput(results, HEADLINE, faces, arms)).page
    assert "None: nothing was held against bicubic" in page
    with pytest.raises(EvaluationError, match="no cell dsr"):
        make_report(ReportInput(results, Cell("dsr", 8, "clean"), faces, arms))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Record("a", 8, "clean", "rank1", 0.5, 0.4, 0.6, 10), "50.0 <small>[40.0, 60.0]</small>"),
        (Record("a", 8, "clean", "psnr", 27.333, None, None, 10), "27.33"),
        (Record("a", 8, "clean", "rank1", None, None, None, 10), "&ndash;"),
        (None, "&ndash;"),
    ],
)
def test_figures_are_shown_in_their_unit(entry, text):
    assert shown(entry) == text


def test_worst_failures_are_wrong_and_worst_first(case):
    _, _, results = case
    table = figures.worst_failures(results, HEADLINE, count=5)
    found = results.cell("bicubic-coarse", 8).mated
    assert len(table) == min(5, int((found.rank > 1).sum()))
    assert (table["subject"] != table["named"]).all()
    assert ((table["best"] - table["own"]).diff().dropna() <= 1e-6).all()
    assert figures.enrolled_face(results, table["subject"].iloc[0]) in results.protocol.gallery.rows


def test_the_same_figure_gives_the_same_bytes(case):
    _, _, results = case
    one, two = (figures.png(figures.resolution_curve(results, "rank1")) for _ in range(2))
    assert one == two


def test_the_curve_has_a_line_per_arm_and_the_ceiling_across(case):
    _, _, results = case
    axes = figures.resolution_curve(results, "rank1").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["hr", "bicubic", "bicubic-coarse"]
    np.testing.assert_allclose(
        axes.lines[1].get_ydata(), [results.find("bicubic", size, "rank1").value for size in (8, 12)]
    )


def test_both_best_thresholds_are_marked(case):
    _, _, results = case
    found = sweep(results.cell("bicubic", 8))
    axes = figures.sweep_curves(found, "sweep", 0.35).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(label.startswith("most correct") for label in labels)
    assert any(label.startswith("in use") for label in labels)


def test_arms_of_one_upscaler_share_a_column(case):
    faces, arms, _ = case
    columns = figures.seen_by(faces, [0, 1], arms, 8)
    assert list(columns) == ["vlr", "bicubic", "hr"]
    assert figures.face_sheet(columns, ["one", "two"]).shape[0] > 2 * 112
    with pytest.raises(EvaluationError, match="no face"):
        figures.face_sheet({})


def test_what_cannot_be_drawn_is_refused(case):
    _, _, results = case
    hr_only = results.__class__(results.protocol, (), pd.DataFrame(), {HEADLINE: results.kept[HEADLINE]}, 0.35, 100, 0)
    with pytest.raises(EvaluationError, match="no cell at 99 px"):
        figures.roc_curves(hr_only, 99)
    with pytest.raises(EvaluationError, match="an arm and two faces"):
        figures.embedding_picture({}, [])
