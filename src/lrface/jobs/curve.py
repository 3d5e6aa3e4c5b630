"""`curve`: how small a face may be: every arm from 8 to 112 pixels under every condition, one plot and one table."""

from lrface.jobs.command import command, leave
from lrface.jobs.evaluate import PARAMETERS

if __name__ == "__main__":
    leave(command("curve", PARAMETERS))
