"""Whatever a folder is called, what lies in it is read as it was written."""

import string

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lrface.data.pack.pack import open_pack
from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, ReadSettings, SplitSettings
from lrface.data.source import Report
from lrface.data.sources.listed_table import ListSource
from lrface.data.sources.procedural import ProceduralSource
from lrface.images.settings import ProceduralSettings

signs = string.ascii_letters + "=%#?&+ '\"(),[]{};:@!$~*|<>`^-äß漢"
names = st.text(signs, min_size=1, max_size=12).map(str.strip).filter(lambda name: name.strip("."))
PLAIN = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PLAIN
@given(names)
@example("lr=0.1")
@example("split=train")
@example("my%20pack")
@example("what?")
@example("-x")
def test_a_pack_in_a_folder_of_any_name(tmp_path, name):
    source = ProceduralSource(ProceduralSettings(subjects=4, images_per_subject=1))
    target = tmp_path / name / "pack"
    made, _ = prepare(source, target, SplitSettings(), CheckSettings(errors=()), overwrite=True)
    found = open_pack(target)
    assert found.digest == made.digest
    assert list(found.manifest.columns) == list(made.manifest.columns)
    assert {path.parent for path in target.rglob("*")} == {target}


@PLAIN
@given(names, st.sampled_from(["csv", "parquet"]))
@example("lr=0.1", "parquet")
@example("subject=ann", "parquet")
def test_a_list_in_a_folder_of_any_name(tmp_path, name, kind):
    from PIL import Image

    root = tmp_path / name
    root.mkdir(exist_ok=True)
    Image.fromarray(np.full((112, 112, 3), 90, dtype=np.uint8)).save(root / "1.png")
    rows = pd.DataFrame({"path": ["1.png"], "subject": ["bob"]})
    table = root / f"list.{kind}"
    rows.to_csv(table, index=False) if kind == "csv" else rows.to_parquet(table)
    source = ListSource(table, ReadSettings(workers=1, align=AlignSettings(mode="none")))
    assert [face.subject for face in source.items(Report())] == ["bob"]
