import cv2
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from lrface.data.sources import SourceSettings, open_source

ADAPTER = TypeAdapter(SourceSettings)


def opened(**settings):
    return open_source(ADAPTER.validate_python(settings))


def test_each_kind_is_opened_by_its_name(write_folder, tmp_path, faces):
    folder = write_folder()
    save = tmp_path / "named" / "001_01_01_051_06.png"
    save.parent.mkdir()
    cv2.imwrite(str(save), faces[0])
    pd.DataFrame({"path": ["named/001_01_01_051_06.png"], "subject": ["a"]}).to_csv(tmp_path / "a.csv", index=False)
    for part in ("train", "test"):
        (tmp_path / "parts" / part).mkdir(parents=True)
        (folder / ("p0" if part == "train" else "p1")).rename(tmp_path / "parts" / part / part)
    for part in ("hr_images", "vlr_images"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "pairs" / part / save.name), faces[0, :16, :16])
    cases = {
        "folder": (folder, 10),
        "flat": (tmp_path / "named", 1),
        "list": (tmp_path / "a.csv", 1),
        "splits": (tmp_path / "parts", 10),
        "pairs": (tmp_path / "pairs", 1),
    }
    for kind, (path, count) in cases.items():
        source = opened(kind=kind, path=str(path))
        assert source.describe()["kind"] == kind
        assert source.count() == count
    mixed = opened(
        kind="mix",
        parts={
            "real": {"source": {"kind": "folder", "path": str(folder)}},
            "drawn": {
                "source": {"kind": "procedural", "faces": {"subjects": 3, "images_per_subject": 2}},
                "superres": "train",
                "recognition": "none",
            },
        },
    )
    assert mixed.count() == 16
    assert mixed.describe()["name"] == "real+drawn"


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "folders", "path": "x"},
        {"kind": "folder"},
        {"kind": "folder", "path": ""},
        {"kind": "folder", "path": "x", "colour": "red"},
        {"kind": "mix", "parts": {}},
        {"kind": "mix", "parts": {"a": {"source": {"kind": "mix", "parts": {}}}}},
    ],
)
def test_settings_that_name_no_source(settings):
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(settings)
