import sys
from pathlib import Path

import pytest

from lrface.errors import ConfigError, RegistryError
from lrface.naming.gallery.place import gallery_at
from servers import postgres, why_no_postgres

OWN = "a" * 64


def test_who_is_removed_is_in_no_file_of_the_tables_any_more(database, faces):
    """The write-ahead log keeps what was written until its segments are used again: that is documented."""
    gallery = gallery_at(database.make("removal"))
    gallery.enrol({"Ann Removed": faces(4711, 2), "Bob Stays": faces(4712)}, OWN)
    ann = next(entry for entry in gallery.entries() if entry.name == "Ann Removed")
    database.sql("CHECKPOINT")
    traces = [b"Ann Removed", ann.key.encode(), ann.template[:8].tobytes(), ann.total[100:104].tobytes()]
    before = everything(database.data / "base")
    found = [trace in before for trace in traces]
    assert found[:2] == [True, True]

    gallery.remove("Ann Removed")
    database.sql("CHECKPOINT")

    after = everything(database.data / "base")
    assert not any(trace in after for trace in traces)
    assert b"Bob Stays" in after
    assert [entry.name for entry in gallery.entries()] == ["Bob Stays"]


def everything(folder):
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_server_without_pgvector_is_told_in_a_line(faces):
    if reason := why_no_postgres():
        pytest.skip(reason)
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not system or list(Path("/usr/share/postgresql").glob("*/extension/vector.control")):
        pytest.skip("no PostgreSQL without pgvector here")
    with postgres(binaries=system[-1]) as server, pytest.raises(RegistryError) as caught:
        gallery_at(server.uri()).enrol({"Ann": faces(1)}, OWN)
    assert "a server without pgvector" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_without_the_password(faces):
    gallery = gallery_at("postgresql://someone:s3cret@127.0.0.1:1/faces")
    with pytest.raises(RegistryError) as caught:
        gallery.enrol({"Ann": faces(1)}, OWN)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in gallery.place
    assert "\n" not in str(caught.value)


def test_a_role_that_may_not_write_is_told(database, faces):
    uri = database.make("guarded")
    gallery_at(uri).enrol({"Ann": faces(1)}, OWN)
    database.sql("CREATE ROLE reader LOGIN")
    database.sql("GRANT SELECT ON lrface_gallery, lrface_gallery_about TO reader", "guarded")
    reader = gallery_at(uri.replace("postgres@", "reader@"))
    assert reader.identify(faces(1), OWN, 0.35)[0].name == "Ann"
    with pytest.raises(RegistryError, match="permission denied"):
        reader.enrol({"Bob": faces(2)}, OWN)


@pytest.mark.parametrize("location", ["gallery.csv", "s3://bucket/gallery.parquet", "gallery"])
def test_other_places_are_refused(location):
    with pytest.raises(ConfigError, match=r"expected path of a \.parquet file"):
        gallery_at(location)


def test_a_uri_that_libpq_does_not_parse_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        gallery_at("postgresql://me:s3cret@host:notaport:9/x y")
    assert "s3cret" not in str(caught.value)


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "lrface.naming.gallery.postgres", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'lrface\[postgres\]'"):
        gallery_at("postgresql://localhost/faces")


def test_a_table_from_before_pictures_were_known_again_is_read_and_goes_on(database, faces):
    uri = database.make("older")
    gallery = gallery_at(uri)
    gallery.enrol({"Ann": faces(1)}, OWN)
    database.sql("ALTER TABLE lrface_gallery DROP COLUMN prints", "older")
    assert [entry.prints for entry in gallery.entries()] == [()]
    assert gallery.identify(faces(1), OWN, 0.35)[0].name == "Ann"
    gallery.enrol({"Bob": faces(2)}, OWN, {"Bob": ["a" * 64]})
    assert [entry.prints for entry in gallery.entries()] == [(), (bytes.fromhex("a" * 32),)]
