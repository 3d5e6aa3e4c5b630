import json

import pytest

from lrface.tracking.registry.licences import Licensed, ledger_lines, ledger_metadata, terms_of, whole_licence

LEDGER = (
    Licensed("recogniser", "models:/edgeface/2", "CC-BY-NC-SA-4.0", "ab" * 32),
    Licensed("super-resolver", "models:/dsr/2", "CC-BY-NC-SA-4.0 AND CC0-1.0", "cd" * 32),
)


def test_what_holds_for_a_part_holds_for_the_whole():
    assert whole_licence(LEDGER) == "CC-BY-NC-SA-4.0 AND CC0-1.0"
    first, *rest = ledger_lines(LEDGER)
    assert first.startswith("licence of the whole: CC-BY-NC-SA-4.0 AND CC0-1.0 (no commercial use")
    assert rest[0] == (
        "recogniser models:/edgeface/2, sha256 abababababab: CC-BY-NC-SA-4.0 "
        "(no commercial use, name the makers, share alike)"
    )


def test_a_licence_that_nobody_knows_is_never_taken_for_free():
    assert terms_of("unknown") == "nobody has said; ask before any use"
    assert terms_of("Acme-1.0 AND CC0-1.0") == "see the text of Acme-1.0; free for any use"


def test_the_metadata_is_plain():
    assert json.loads(json.dumps(ledger_metadata(LEDGER)))[1]["terms"].startswith("no commercial use")


@pytest.mark.parametrize("text", ["CC BY-NC-SA", "CC-BY-NC-SA-4.0", "cc by-nc 4.0", "CC  BY NC ND 4.0"])
def test_a_ban_on_commercial_use_is_known_however_it_is_spelt(text):
    assert terms_of(text).startswith("no commercial use")


@pytest.mark.parametrize("text", ["MITRE-1", "free use with credit to somebody", ""])
def test_what_only_begins_like_a_known_licence_is_not_taken_for_it(text):
    assert terms_of(text) == f"see the text of {text}"
