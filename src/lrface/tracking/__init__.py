"""Runs, registry, the served pipeline: the only room that knows MLflow."""
