"""What the page shows of words that others chose."""

import html
import re

import pytest

from lrface.errors import DataError
from lrface.page.view import _literal, _told

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
