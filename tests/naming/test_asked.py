import math

import pytest

from lrface.errors import ConfigError
from lrface.naming.asked import Asked


def test_auto_is_the_default_and_stands_for_one_false_alarm_in_a_hundred():
    assert (Asked().kind, Asked().rate, Asked().insists) == ("fpir", 0.01, False)
    assert (Asked(fpir=1e-3).kind, Asked(fpir=1e-3).rate, Asked(fpir=1e-3).insists) == ("fpir", 1e-3, True)
    assert (Asked(fmr=1e-4).kind, Asked(fmr=1e-4).rate) == ("fmr", 1e-4)
    assert (Asked(0.4).kind, Asked(0.4).rate) == ("fixed", None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fpir": 0.01, "fmr": 0.01}, "fpir=0.01 and fmr=0.01"),
        ({"threshold": 0.4, "fpir": 0.01}, "threshold=0.4 and fpir=0.01"),
        ({"fpir": 0.0}, "a rate above 0"),
        ({"fmr": 1.1}, "a rate above 0"),
        ({"fpir": math.nan}, "a rate above 0"),
        ({"threshold": 1.5}, "a cosine"),
        ({"threshold": math.nan}, "a cosine"),
        ({"threshold": "often"}, "or auto"),
        ({"threshold": True}, "or auto"),
        ({"fpir": "often"}, "got 'often'; expected a rate above 0"),
        ({"fmr": True}, "a rate above 0"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        Asked(**given)
