"""What an evaluation is told beside its faces."""

from types import SimpleNamespace

import pandas as pd
import pytest

from lrface.errors import DataError
from lrface.jobs.shared.evaluation.assessment import groups_of

PACK = SimpleNamespace(name="people", manifest=pd.DataFrame({"subject": ["ann", "bob", "bob"]}))


def test_subjects_have_the_group_that_the_file_gives_them(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("subject,group\nann,old\nann,old\nbob,\nelsewhere,young\n")
    assert groups_of(str(path), PACK) == {"ann": "old", "elsewhere": "young"}
    assert groups_of("none", PACK) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "FileNotFoundError"),
        ("name,group\nann,old\n", "expected a CSV with the columns subject and group"),
        ("subject,group\nann,old\nann,young\n", "got ann in two groups; expected one group for each subject"),
        ("subject,group\nAnn,old\n", "none of whom is in people; expected its subjects, such as ann"),
        ("subject,group\nann,\n", "got 0 subjects with a group"),
    ],
)
def test_a_file_of_groups_that_says_nothing_is_refused(tmp_path, text, words):
    path = tmp_path / "groups.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=words):
        groups_of(str(path), PACK)
