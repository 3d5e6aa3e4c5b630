"""Recognisers of others as ONNX files."""
