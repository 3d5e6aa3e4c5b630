"""What each entry point does once its parameters are known: here, and not before, torch and MLflow are imported."""
