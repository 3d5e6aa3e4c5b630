import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lrface.errors import RegistryError
from lrface.models.pair import stands_for_bicubic
from lrface.naming.operating_points import POINTS_NAME, read_points
from lrface.tracking.names import DSR, EDGEFACE, PAIR
from lrface.tracking.registry.pair import NONE, check_pair, pairs_of, register_pair
from lrface.tracking.registry.versions import download, resolve
from operating_points import known_points


@pytest.fixture
def halves(make_version):
    edgeface = make_version(EDGEFACE, 1, "finetuned", licence="CC-BY-NC-SA-4.0")
    dsr = make_version(DSR, 2, "cycle", supervisor=edgeface.uri, licence="Apache-2.0 AND CC-BY-NC-SA-4.0")
    return edgeface, dsr


def test_the_pair_holds_both_and_says_of_what_it_is_made(store, run, halves, tmp_path):
    edgeface, dsr = halves
    pair = register_pair(run, edgeface, dsr, tags={"cycle": 1})
    assert pair.aliases == ("challenger",)
    assert pair.tags["edgeface"] == "models:/edgeface/1"
    assert pair.tags["dsr_sha256"] == dsr.sha256
    assert pair.tags["cycle"] == "1"
    assert pair.licence == "Apache-2.0 AND CC-BY-NC-SA-4.0"
    check_pair(store, pair)
    got = download(store, pair, tmp_path / "got")
    for name, half in ((EDGEFACE, edgeface), (DSR, dsr)):
        alone = download(store, half, tmp_path / name)
        assert (got / name / "model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()


def test_operating_points_travel_with_the_pair_and_its_hashes_hold_them(store, run, halves, tmp_path):
    points = known_points(halves[0].sha256, halves[1].sha256)

    pair = register_pair(run, *halves, points=points)

    assert POINTS_NAME in json.loads(pair.tags["files"])
    assert pair.tags["operating_points"].startswith("FPIR 0.01 in a gallery of 100: 8 px 0.400 [0.380, 0.420]")
    folder = download(store, pair, tmp_path / "got")
    assert read_points(folder, halves[0].sha256, halves[1].sha256) == points
    (folder / POINTS_NAME).write_text("{}")
    assert read_points(download(store, pair, tmp_path / "got"), halves[0].sha256) == points
    assert register_pair(run, *halves).tags["operating_points"] == "none"


def test_a_super_resolver_of_another_recogniser_is_refused(run, make_version, halves):
    other = make_version(EDGEFACE, 3)
    with pytest.raises(RegistryError, match=r"trained against models:/edgeface/1; expected one .* models:/edgeface/2"):
        register_pair(run, other, halves[1])
    bare = make_version(DSR, 4)
    with pytest.raises(RegistryError, match="nothing that is recorded"):
        register_pair(run, other, bare)


def test_a_pair_whose_half_has_changed_or_gone_is_stale(store, run, halves):
    pair = register_pair(run, *halves)
    store.client.set_model_version_tag(DSR, "1", "weights_sha256", "0" * 64)
    with pytest.raises(RegistryError, match="put the pair together again"):
        check_pair(store, pair)
    store.client.delete_model_version(DSR, "1")
    with pytest.raises(RegistryError, match="models:/dsr/1"):
        check_pair(store, resolve(store, pair.uri))


def test_a_pair_without_a_super_resolver_is_whole_and_says_so(store, run, halves, tmp_path):
    edgeface, _ = halves

    pair = register_pair(run, edgeface, None)

    assert (pair.tags["dsr"], pair.tags["dsr_sha256"]) == ("none", "none")
    assert pair.licence == "CC-BY-NC-SA-4.0"
    check_pair(store, pair)
    assert stands_for_bicubic(download(store, pair, tmp_path / "got") / DSR)
    assert [found.version for found in pairs_of(store, edgeface.sha256, NONE)] == [pair.version]


def test_a_pair_whose_super_resolver_is_not_recorded_is_no_pair_without_one(store, run, halves):
    pair = register_pair(run, *halves)
    store.client.set_model_version_tag(PAIR, str(pair.version), "dsr", "none")
    with pytest.raises(RegistryError):
        check_pair(store, resolve(store, pair.uri))
