import hashlib

import pytest

from lrface.errors import WeightsError
from lrface.tracking.registry.hashes import file_sha256, folder_hashes, weights_sha256

from ..conftest import write_folder


def test_a_model_folder_is_known_by_its_weights(tmp_path):
    folder = write_folder(tmp_path / "a", 1)
    hashes = folder_hashes(folder)
    assert set(hashes) == {"config.json", "model.safetensors"}
    assert weights_sha256(hashes) == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_a_pair_is_known_by_both_halves(tmp_path):
    one, two = write_folder(tmp_path / "p" / "a", 1), write_folder(tmp_path / "p" / "b", 2)
    first = weights_sha256(folder_hashes(tmp_path / "p"))
    assert first not in {file_sha256(one / "model.safetensors"), file_sha256(two / "model.safetensors")}
    write_folder(tmp_path / "p" / "b", 3)
    assert weights_sha256(folder_hashes(tmp_path / "p")) != first


def test_what_is_no_model_folder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="model folder"):
        weights_sha256(folder_hashes(tmp_path))
    write_folder(tmp_path, 0)
    (tmp_path / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json beside it"):
        weights_sha256(folder_hashes(tmp_path))
