from lrface.tracking.names import DSR, EDGEFACE
from lrface.tracking.registry.ancestry import line_of, packs_behind


def test_the_line_leads_to_every_pack_that_something_was_trained_on(store, run, make_version):
    run.log_dataset("faces", "c" * 64, source="file:///packs/faces", rows=9, context="training")
    run.flush()
    first = make_version(EDGEFACE, 1, job="pretrain", pack_digest="a" * 64)
    tuned = make_version(EDGEFACE, 2, job="finetune", pack_digest="b" * 64, start=first.uri, super_resolver="bicubic")
    other = make_version(EDGEFACE, 3, job="pretrain", pack_digest="d" * 64)
    supervisors = f"{tuned.uri}, {other.uri}"
    last = make_version(DSR, 4, job="train_dsr", pack_digest="c" * 64, supervisor=tuned.uri, supervisors=supervisors)

    assert {version.uri for version in line_of(store, [last])} == {first.uri, tuned.uri, other.uri, last.uri}
    found = packs_behind(store, [last])
    assert {digest[0]: place for digest, place in found.items()} == {
        "a": "",
        "b": "",
        "c": "file:///packs/faces",
        "d": "",
    }


def test_what_was_deleted_or_only_measured_is_no_training(store, make_version):
    gone = make_version(EDGEFACE, 1, job="pretrain", pack_digest="a" * 64)
    tuned = make_version(EDGEFACE, 2, job="finetune", pack_digest="b" * 64, start=gone.uri)
    pair = make_version("lrface", 3, job="promote", pack_digest="e" * 64, edgeface=tuned.uri, dsr="none")
    store.client.delete_model_version(gone.name, str(gone.version))
    assert set(packs_behind(store, [pair])) == {"b" * 64}
