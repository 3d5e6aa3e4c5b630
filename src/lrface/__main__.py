"""`python -m lrface`: the command `lrface`."""

from lrface.cli.program import main

if __name__ == "__main__":
    main()
