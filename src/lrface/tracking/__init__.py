"""Runs, registry, the served pipeline: the only room that knows MLflow.

This file runs before any module here imports MLflow, which looks at these variables while it is imported.
A value that the user has set stays.
"""

import os

# Faces are biometric data: nothing about their use leaves the machine unasked.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
