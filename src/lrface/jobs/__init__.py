"""One module per entry point: compose, never compute."""

import sys

# `python -m lrface.jobs.NAME`, also by torchrun, is `python -m lrface NAME`: Python looks for the module just now.
if sys.argv[:1] == ["-m"] and (_named := [word for word in sys.orig_argv if word.startswith("lrface.jobs.")]):
    from lrface.cli.program import main

    main([_named[0].removeprefix("lrface.jobs."), *sys.argv[1:]])
