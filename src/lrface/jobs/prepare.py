"""`prepare`: any source of faces to a pack, checked and split."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA
from lrface.jobs.leaving import leave

PARAMETERS = DATA

if __name__ == "__main__":
    leave(lambda: command("prepare", PARAMETERS))
