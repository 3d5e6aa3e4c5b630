"""`python -m lrface`: the command `lrface`."""

from lrface.jobs.cli import main

if __name__ == "__main__":
    main()
