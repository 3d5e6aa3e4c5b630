"""The command line: how a job is asked for, checked, started, shown and ended. Jobs are known here by name alone."""

from lrface.cli.process.environment import check

check()
