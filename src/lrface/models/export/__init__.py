"""Networks as ONNX, int8 too, each held against what it came from; how fast they are."""
