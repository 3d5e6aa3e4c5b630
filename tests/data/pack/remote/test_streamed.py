"""Packs on S3, against a server that speaks it over HTTP."""

import itertools
import pickle
import socket
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.data.pack.loaders import batches, epoch_order
from lrface.data.pack.pack import open_pack
from lrface.data.pack.remote.opening import open_streamed_pack
from lrface.data.pack.remote.s3 import Folder, place_of
from lrface.data.pack.remote.shards import publish_pack
from lrface.data.pack.writer import write_pack
from lrface.errors import ConfigError, DataError
from lrface.images.stored import Locality

from ...conftest import blotches

FACE = 112 * 112 * 3
SHARD = 3 * FACE  # three faces each, so seven shards of twenty faces
SHARD_FILE = SHARD + 128
_numbers = itertools.count()


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    faces = blotches()
    subjects = [f"p{number}" for number in range(4) for _ in range(5)]
    superres = ["train"] * 10 + ["val"] * 5 + ["test"] * 5
    folder = tmp_path_factory.mktemp("published") / "pack"
    return write_pack(folder, faces, subjects, superres=superres, vlr=faces[:, ::7, ::7], licence="CC0-1.0")


@pytest.fixture(scope="module")
def once(s3_server, pack):
    """One publication, for all tests that change nothing there for good."""
    uri = f"s3://{s3_server.bucket('packs')}/people/first"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        seen = []
        assert publish_pack(pack, uri + "/", shard_bytes=SHARD, progress=lambda *step: seen.append(step)) == uri
    assert seen == [(done, 20) for done in (3, 6, 9, 12, 15, 18, 20)]
    return uri


@pytest.fixture
def published(s3, once):
    return once


@pytest.fixture
def uri(s3, once):
    """A place of its own."""
    return f"s3://packs/{next(_numbers)}/own"


def cached(cache):
    return sorted((cache / "shards").glob("*.npy"))


def test_what_is_published_comes_back(pack, published, tmp_path, faces):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    assert (found.digest, found.uri, found.name, found.location) == (pack.digest, published, "first", published)
    assert found.info == pack.info
    assert found.manifest.equals(pack.manifest)
    rows = np.array([19, 0, 7, 7, 3])
    assert np.array_equal(found.batch(rows), faces[rows])
    assert np.array_equal(found.vlr_batch(rows), faces[rows][:, ::7, ::7])
    assert np.array_equal(found.faces[2:9], faces[2:9])
    assert np.array_equal(found.faces[[4, -1]], faces[[4, -1]])
    assert np.array_equal(found.faces[5], faces[5])
    assert np.array_equal(found.faces[np.arange(20) % 2 == 0], faces[::2])
    assert found.faces[[]].shape == (0, 112, 112, 3)
    assert found.rows("val").tolist() == [10, 11, 12, 13, 14]


def test_shards_are_ordinary_npy_files_named_by_their_content(s3, published, pack, tmp_path, faces):
    keys = {key for key in s3.keys("packs") if key.startswith("people/")}
    below = f"people/first/{pack.digest[:16]}"
    shards = [key for key in keys if key.startswith(f"{below}/faces/")]
    assert len(shards) == 7
    assert keys - set(shards) > {"people/first/pack.json", f"{below}/manifest.parquet", f"{below}/shards.json"}
    s3.client().download_file("packs", sorted(shards)[1], str(tmp_path / "shard.npy"))
    assert np.array_equal(np.load(tmp_path / "shard.npy"), faces[3:6])


def test_only_what_is_asked_for_is_fetched(published, tmp_path):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    assert cached(tmp_path / "cache") == []
    found.batch(np.array([0, 2, 9]))
    assert len(cached(tmp_path / "cache")) == 2


def test_another_process_opens_it_too(published, tmp_path, faces):
    found = pickle.loads(pickle.dumps(open_streamed_pack(published, tmp_path / "cache", 10**9)))  # noqa: S301
    assert np.array_equal(found.batch(np.array([11])), faces[[11]])


def test_it_is_never_an_array_by_accident(published, tmp_path):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    with pytest.raises(TypeError, match="never all at once"):
        np.asarray(found.faces)
    with pytest.raises(IndexError):
        found.faces[[20]]


def test_the_cache_stays_within_its_limit(published, tmp_path, faces):
    found = open_streamed_pack(published, tmp_path / "cache", 2 * SHARD_FILE)
    generator = np.random.default_rng(1)
    for _ in range(12):
        rows = generator.integers(0, 20, 2)
        assert np.array_equal(found.batch(rows), faces[rows])
        assert len(cached(tmp_path / "cache")) <= 3  # two, and one that two threads made room for at once
    assert np.array_equal(found.batch(np.arange(20)), faces)


def test_a_limit_below_one_shard_still_reads(published, tmp_path, faces):
    found = open_streamed_pack(published, tmp_path / "cache", 1)
    assert np.array_equal(found.batch(np.arange(20)[::-1]), faces[::-1])


def test_what_was_used_last_is_kept(published, tmp_path, monkeypatch):
    found = open_streamed_pack(published, tmp_path / "cache", 2 * SHARD_FILE)
    for row in (0, 3, 0, 6, 0):
        found.batch(np.array([row]))
    monkeypatch.setattr(Folder, "read", lambda *_: pytest.fail("the first shard was fetched again"))
    found.batch(np.array([0]))


def test_where_all_fits_batches_are_those_of_the_pack_on_disk(published, pack, tmp_path):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    assert found.locality is None
    order = epoch_order(found.rows(), 4, 1, locality=found.locality)
    assert np.array_equal(order, epoch_order(pack.rows(), 4, 1, locality=pack.locality))
    for ours, theirs in zip(batches(found, order, 8), batches(pack, order, 8), strict=True):
        assert np.array_equal(ours[1], theirs[1])


def test_where_it_does_not_fit_an_epoch_fetches_each_shard_about_once(published, tmp_path, monkeypatch, faces):
    fetched = []
    plain = Folder.read
    monkeypatch.setattr(Folder, "read", lambda self, name, most: fetched.append(name) or plain(self, name, most))
    found = open_streamed_pack(published, tmp_path / "cache", 4 * SHARD_FILE)
    assert found.locality == Locality(rows=3, shards=2)
    del fetched[:]
    order = epoch_order(found.rows(), 4, 1, locality=found.locality)
    for rows, got in batches(found, order, 2):
        assert np.array_equal(got, faces[rows])
    assert len(fetched) == 7


@given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 10), st.integers(0, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_local_order_takes_each_row_once_and_few_shards_at_a_time(count, rows, shards, seed, balanced):
    given_rows, locality = np.arange(count) * 3, Locality(rows, shards)
    labels = np.zeros(count, dtype=np.int64)
    order = epoch_order(given_rows, seed, 2, labels=labels, balanced=balanced, locality=locality)
    assert np.array_equal(order, epoch_order(given_rows, seed, 2, labels=labels, balanced=balanced, locality=locality))
    assert sorted(order) == given_rows.tolist()
    numbers = order // rows
    first = {number: place for place, number in reversed(list(enumerate(numbers)))}
    last = {number: place for place, number in enumerate(numbers)}
    in_use = [sum(first[n] <= place <= last[n] for n in first) for place in range(count)]
    assert max(in_use) <= shards + 1


# publishing


def written(monkeypatch):
    names = []
    plain = Folder.write
    monkeypatch.setattr(Folder, "write", lambda self, name, content: names.append(name) or plain(self, name, content))
    return names


def test_publishing_again_sends_no_face(published, pack, monkeypatch):
    names = written(monkeypatch)
    publish_pack(pack, published, shard_bytes=SHARD)
    assert not [name for name in names if name.endswith(".npy")]


def test_a_publication_that_was_cut_off_is_no_pack_and_goes_on(s3, uri, pack, tmp_path, monkeypatch):
    names = written(monkeypatch)
    plain = Folder.write

    def dies(self, name, content):
        if "/faces/00004-" in name:
            raise KeyboardInterrupt
        plain(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            publish_pack(pack, uri, shard_bytes=SHARD)
    with pytest.raises(DataError, match=r"no pack\.json"):
        open_streamed_pack(uri, tmp_path / "cache", 10**9)
    sent = set(names)
    del names[:]
    publish_pack(pack, uri, shard_bytes=SHARD)
    assert sent
    assert not sent & set(names)
    assert len(open_streamed_pack(uri, tmp_path / "cache", 10**9)) == 20


def test_another_pack_is_replaced_only_when_allowed_and_readers_of_the_old_one_go_on(
    uri, pack, tmp_path, faces, subjects
):
    publish_pack(pack, uri, shard_bytes=SHARD)
    old = open_streamed_pack(uri, tmp_path / "cache", 10**9)
    other = write_pack(tmp_path / "other", faces[::-1], subjects)
    with pytest.raises(DataError, match="another pack in this place"):
        publish_pack(other, uri, shard_bytes=SHARD)
    publish_pack(other, uri, shard_bytes=SHARD, overwrite=True)
    assert np.array_equal(old.batch(np.array([16])), faces[[16]])
    assert np.array_equal(open_streamed_pack(uri, tmp_path / "cache", 10**9).batch(np.array([0])), faces[[19]])


# what goes wrong


@contextmanager
def damaged(s3, part, content):
    """Something of the publication is other bytes, or gone, for a while."""
    key = next(key for key in s3.keys("packs") if key.startswith("people/") and part in key)
    whole = s3.client().get_object(Bucket="packs", Key=key)["Body"].read()
    if content is None:
        s3.client().delete_object(Bucket="packs", Key=key)
    else:
        s3.client().put_object(Bucket="packs", Key=key, Body=content)
    yield
    s3.client().put_object(Bucket="packs", Key=key, Body=whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [(bytes(SHARD_FILE), "other bytes than were published"), (None, "got no such file; expected a shard of the pack")],
)
def test_a_shard_that_is_not_what_was_published_is_refused(s3, published, tmp_path, content, message):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    with damaged(s3, "/faces/00000-", content), pytest.raises(DataError, match=message):
        found.batch(np.array([0]))
    assert cached(tmp_path / "cache") == []


def test_a_cut_off_file_in_the_cache_is_fetched_again(published, tmp_path, faces):
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    found.batch(np.array([0]))
    cached(tmp_path / "cache")[0].write_bytes(b"half")
    assert np.array_equal(found.batch(np.array([0])), faces[[0]])


def test_a_file_in_the_cache_with_other_bytes_is_fetched_again(published, tmp_path, faces):
    open_streamed_pack(published, tmp_path / "cache", 10**9).batch(np.array([0]))
    (kept,) = cached(tmp_path / "cache")
    kept.write_bytes(bytes(SHARD_FILE))
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    assert np.array_equal(found.batch(np.array([0])), faces[[0]])


def test_publishing_again_mends_a_damaged_shard(s3, published, pack, tmp_path, faces):
    key = next(key for key in s3.keys("packs") if key.startswith("people/") and "/faces/00000-" in key)
    s3.client().put_object(Bucket="packs", Key=key, Body=bytes(SHARD_FILE))
    publish_pack(pack, published, shard_bytes=SHARD)
    found = open_streamed_pack(published, tmp_path / "cache", 10**9)
    assert np.array_equal(found.batch(np.array([0])), faces[[0]])


def test_another_process_refuses_the_pack_that_took_the_place_of_the_one_meant(uri, pack, tmp_path, faces, subjects):
    publish_pack(pack, uri, shard_bytes=SHARD)
    carried = pickle.dumps(open_streamed_pack(uri, tmp_path / "cache", 10**9))
    publish_pack(write_pack(tmp_path / "other", faces[::-1], subjects), uri, shard_bytes=SHARD, overwrite=True)
    with pytest.raises(DataError, match="which was there before"):
        pickle.loads(carried)  # noqa: S301 - made two lines above


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pack.json", b"{", "no JSON"),
        ("pack.json", b'{"format_version": 9}', "format version 9"),
        ("shards.json", b"{}", "expected the shards of a pack"),
        ("shards.json", None, "got no such file; expected the shards"),
        ("manifest.parquet", b"PAR1", "no Parquet"),
        ("manifest.parquet", None, "got no such file; expected the manifest"),
    ],
)
def test_a_damaged_pack_is_refused(s3, published, tmp_path, name, content, message):
    with damaged(s3, name, content), pytest.raises(DataError, match=message):
        open_streamed_pack(published, tmp_path / "cache", 10**9)


def test_no_bucket_no_pack_and_a_wrong_secret(s3, uri, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"got no pack\.json"):
        open_streamed_pack(uri, tmp_path / "cache", 10**9)
    with pytest.raises(DataError, match="got no such bucket"):
        Folder(place_of("s3://nobody-has-this/x")).write("a", b"a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DataError, match=r"got a refusal \(SignatureDoesNotMatch\).*check key and secret"):
        open_streamed_pack(uri, tmp_path / "cache", 10**9)


def test_no_credentials(s3, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DataError, match="got no credentials; expected AWS_ACCESS_KEY_ID"):
        open_streamed_pack("s3://some-bucket/x", tmp_path / "cache", 10**9)


def test_no_server_is_one_clear_line(s3, tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", closed)
    monkeypatch.setattr("lrface.data.pack.remote.s3._ATTEMPTS", 1)
    with pytest.raises(DataError, match=f"got no answer .*{closed}.*check the network and AWS_ENDPOINT_URL"):
        open_streamed_pack("s3://some-bucket/x", tmp_path / "cache", 10**9)


@pytest.mark.parametrize(
    "text", ["s3://", "s3://ab/x", "s3://bucket", "s3://Bucket/x", "s3://bucket/a//b", "http://b/x"]
)
def test_what_is_no_s3_uri(text):
    with pytest.raises(ConfigError, match="expected s3://bucket/prefix"):
        place_of(text)


def test_credentials_in_a_uri_are_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="credentials belong in the environment") as caught:
        place_of("s3://key:geheim@bucket/x")
    assert "geheim" not in str(caught.value)


def test_a_folder_that_cannot_be_written(published, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"cache .* set data\.cache"):
        open_streamed_pack(published, tmp_path / "cache", 10**9)


def test_a_pack_that_is_on_disk_is_no_stream(pack):
    assert not open_pack(pack.root).streamed
    assert pack.uri.startswith("file://")
