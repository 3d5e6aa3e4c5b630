"""`prepare`: any source of faces to a pack, checked and split."""

from lrface.jobs.command import command, leave
from lrface.jobs.compose import DATA

PARAMETERS = DATA

if __name__ == "__main__":
    leave(command("prepare", PARAMETERS))
