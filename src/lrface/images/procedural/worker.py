"""One of several processes that draw; its faces go to stdout as raw bytes.

A plain process rather than one of `multiprocessing`: that would import the caller's main module again in each
worker (with all its libraries) or fork a process that has threads, which can hang.
"""

import sys
from collections.abc import Sequence

import cv2

from lrface.images.procedural.person.identity import draw_identity
from lrface.images.procedural.render import render
from lrface.images.procedural.view.nuisance import draw_nuisance


def main(arguments: Sequence[str]) -> int:
    """Draws every `step`-th person; arguments are first, step, subjects, images, seed, strength."""
    first, step, subjects, images, seed = (int(value) for value in arguments[:5])
    strength = float(arguments[5])
    cv2.setNumThreads(1)
    for subject in range(first, subjects, step):
        identity = draw_identity(seed, subject)
        for image in range(images):
            face = render(identity, draw_nuisance(seed, subject, image, strength))
            sys.stdout.buffer.write(face.tobytes())
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
