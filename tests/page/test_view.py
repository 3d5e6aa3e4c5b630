"""What the page shows of words that others chose."""

import html
import re

import pytest

from lrface.errors import DataError
from lrface.page.view import _literal, _picture, _told

HOSTILE = "![x](http://elsewhere/pixel.png) <img src=x onerror=alert(1)> **b** [a](b) `c`\n# d"


class Gradio:
    """As much of it as a message needs."""

    class Error(Exception):
        def __init__(self, message, **options):
            super().__init__(message)


def test_words_from_the_registry_are_no_markdown():
    shown = _literal(HOSTILE)
    assert "\n" not in shown
    assert re.sub(r"\\(.)", r"\1", shown) == " ".join(HOSTILE.split())
    assert not re.search(r"(?<!\\)[`*_\[\]()<>#!]", shown)


def test_a_message_is_no_html():
    def refuse(text):
        raise DataError("person", got=repr(text), expected="a key", remedy="list them")

    with pytest.raises(Gradio.Error) as caught:
        _told(Gradio, refuse)(HOSTILE)
    assert "<" not in str(caught.value)
    assert "<img src=x onerror=alert(1)>" in html.unescape(str(caught.value))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_picture_is_handed_over_as_it_came_so_that_what_is_wrong_with_it_can_be_told(tmp_path):
    gradio = pytest.importorskip("gradio", reason="the extra `app` is not installed")
    picture = _picture(gradio, None)
    (tmp_path / "a.heic").write_bytes(b"no picture that Gradio opens")
    given = picture.data_model(path=str(tmp_path / "a.heic"), orig_name="a.heic")
    assert picture.preprocess(given) == str(tmp_path / "a.heic")
    assert picture.preprocess(None) is None
    assert type(picture) is gradio.Image, "Gradio writes a file beside the code of a class that it does not know"
