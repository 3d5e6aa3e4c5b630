"""One module per entry point: compose, never compute."""

from lrface.jobs.environment import check

check()
