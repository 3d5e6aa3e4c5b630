import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lrface.data.faces.yunet_network import NoYuNetError, YuNet


@pytest.fixture(scope="module")
def weights(real_folder) -> bytes:
    return (real_folder / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes()


def by_opencv(weights: bytes, image: np.ndarray, score: float, overlap: float) -> np.ndarray:
    size = (image.shape[1], image.shape[0])
    none = np.empty(0, dtype=np.uint8)
    network = cv2.FaceDetectorYN.create("onnx", np.frombuffer(weights, np.uint8), none, size, score, overlap, 1000)
    faces = network.detect(np.ascontiguousarray(image[..., ::-1]))[1]
    return np.empty((0, 15)) if faces is None else faces


@pytest.mark.real
@pytest.mark.parametrize("score", [0.02, 0.3, 0.6])
@pytest.mark.parametrize("size", [(112, 112), (97, 131), (200, 333)])
def test_it_finds_what_opencv_finds(weights, real_folder, size, score):
    one, two = (
        cv2.resize(cv2.imread(str(real_folder / "pairs" / f"img{number}.png"))[..., ::-1], size) for number in (1, 10)
    )
    image = np.concatenate([one, two], axis=1)
    found = YuNet(weights).detect(image, score, 0.3)
    expected = by_opencv(weights, image, score, 0.3)
    assert found.shape == expected.shape
    assert len(found) >= 2
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.real
def test_nothing_is_found_in_nothing(weights):
    assert YuNet(weights).detect(np.full((40, 70, 3), 90, dtype=np.uint8), 0.6, 0.3).shape == (0, 15)


def graph(outputs: list[str]) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 640, 640]) for name in outputs]
    nodes = [helper.make_node("Identity", ["input"], [name]) for name in outputs]
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    return helper.make_model(helper.make_graph(nodes, "other", [entry], ports), ir_version=8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no network",
        graph(["cls_8"]).SerializeToString(),
        graph(
            [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
        ).SerializeToString(),
    ],
    ids=["empty", "text", "other outputs", "other shapes"],
)
def test_what_is_no_yunet_is_refused(content):
    with pytest.raises(NoYuNetError):
        YuNet(content)


def test_weights_in_another_file_are_refused(tmp_path):
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    model = graph(names)
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0])
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    model.graph.initializer.append(weight)
    with pytest.raises(NoYuNetError, match="another file"):
        YuNet(model.SerializeToString())
