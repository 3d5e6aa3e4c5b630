"""Whatever the folder of a gallery is called, who was enrolled there is found there."""

import string

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lrface.naming.gallery.place import gallery_at

signs = string.ascii_letters + "=%#?&+ '\"(),[]{};:@!$~*|<>`^-äß漢"
names = st.text(signs, min_size=1, max_size=12).map(str.strip).filter(bool)


@given(names)
@example("name=ann")
@example("my%20gallery")
@example("what?")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_gallery_in_a_folder_of_any_name(tmp_path, faces, name):
    path = tmp_path / name / f"{name}.parquet"
    gallery_at(str(path)).enrol({"Ann": faces(1)}, "a" * 64)
    assert [entry.name for entry in gallery_at(str(path)).entries()] == ["Ann"]
    assert path.is_file()
    path.unlink()
    assert {item.name for item in tmp_path.iterdir() if any(item.rglob("*.parquet"))} == set()
