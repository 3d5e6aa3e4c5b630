"""One module per entry point: compose, never compute."""
