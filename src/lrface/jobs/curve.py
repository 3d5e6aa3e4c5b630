"""`curve`: how small a face may be: every arm from 8 to 112 pixels under every condition, one plot and one table."""

from lrface.jobs.command import command
from lrface.jobs.evaluate import PARAMETERS
from lrface.jobs.leaving import leave

if __name__ == "__main__":
    leave(lambda: command("curve", PARAMETERS))
