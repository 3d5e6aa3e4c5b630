"""A whole population of drawn faces, by as many workers as there are, in an order that never changes."""

import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lrface.base.cores import cores
from lrface.errors import ConfigError, DataError
from lrface.images.procedural.person.identity import draw_identity
from lrface.images.procedural.render import render
from lrface.images.procedural.view.nuisance import draw_nuisance
from lrface.images.procedural.view.surface import SIZE
from lrface.images.settings import ProceduralSettings

Face = UInt8[np.ndarray, "112 112 3"]
# Below this many pictures, starting processes costs more than it saves.
WORTH_WORKERS = 60
WAITING_PER_WORKER = 2


def subject_name(subject: int) -> str:
    """The name of a drawn person in a manifest: "p0001" for the first, number 0."""
    return f"p{subject + 1:04d}"


def _drawn_here(settings: ProceduralSettings) -> Iterator[tuple[int, int, Face]]:
    for subject in range(settings.subjects):
        identity = draw_identity(settings.seed, subject)
        for image in range(settings.images_per_subject):
            yield (
                subject,
                image,
                render(identity, draw_nuisance(settings.seed, subject, image, settings.nuisance)),
            )


@dataclass
class _Worker:
    """A drawing process, and the thread that takes its faces so that it need not wait for ours."""

    process: subprocess.Popen[bytes]
    drawn: queue.Queue[bytes]
    stopped: threading.Event

    def listen(self, size: int) -> None:
        """Passes on what the process draws, person by person; an empty block says that it has ended."""
        stream = self.process.stdout
        if stream is None:
            raise AssertionError("a worker is started with a pipe")
        while not self.stopped.is_set():
            block = stream.read(size)
            while not self.stopped.is_set():
                try:
                    self.drawn.put(block, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if len(block) < size:
                return

    def close(self) -> None:
        """Ends the process, whether it has drawn all or not."""
        self.stopped.set()
        self.process.kill()
        self.process.wait()


def _start(settings: ProceduralSettings, first: int, step: int) -> _Worker:
    command = [sys.executable, "-m", "lrface.images.procedural.worker", str(first), str(step)]
    command += [
        str(settings.subjects),
        str(settings.images_per_subject),
        str(settings.seed),
        repr(settings.nuisance),
    ]
    # The child finds the package where this process found it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)  # noqa: S603 - own module
    return _Worker(process, queue.Queue(maxsize=WAITING_PER_WORKER), threading.Event())


def _drawn_by_workers(settings: ProceduralSettings, count: int) -> Iterator[tuple[int, int, Face]]:
    shape = (settings.images_per_subject, SIZE, SIZE, 3)
    size = math.prod(shape)
    workers = [_start(settings, first, count) for first in range(count)]
    threads = [threading.Thread(target=worker.listen, args=(size,), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        for subject in range(settings.subjects):
            worker = workers[subject % count]
            block = worker.drawn.get()
            if len(block) < size:
                raise _broken(worker, subject)
            for image, face in enumerate(np.frombuffer(block, dtype=np.uint8).reshape(shape)):
                yield subject, image, face.copy()
    finally:
        for worker in workers:
            worker.close()
        for worker, thread in zip(workers, threads, strict=True):
            thread.join()
            for stream in (worker.process.stdout, worker.process.stderr):
                if stream is not None:
                    stream.close()


def _broken(worker: _Worker, subject: int) -> DataError:
    code = worker.process.wait()
    said = worker.process.stderr.read().decode(errors="replace").strip() if worker.process.stderr is not None else ""
    last = said.splitlines()[-1] if said else "nothing said"
    return DataError(
        f"drawing of {subject_name(subject)}",
        got=f"a worker that ended with code {code}: {last}",
        expected="a worker that draws to the end",
        remedy="draw with one worker to see the whole error, or leave more memory free",
    )


def render_faces(
    settings: ProceduralSettings, workers: int = 0, progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[int, int, Face]]:
    """Draws everybody, person by person and picture by picture.

    Args:
        settings: Who and how many.
        workers: Processes; 0 takes one per core that this process may use. The faces do not depend on it.
        progress: Called after each picture with (done, total).

    Yields:
        (subject, image, face): two numbers from 0, and uint8 RGB.

    Raises:
        ConfigError: If `workers` is negative.
        DataError: If a worker dies.
    """
    if workers < 0:
        raise ConfigError(
            "workers that draw faces",
            got=str(workers),
            expected="0 or more",
            remedy="give 0 for one per core",
        )
    total = settings.subjects * settings.images_per_subject
    count = min(workers or cores(), settings.subjects)
    alone = count == 1 or (workers == 0 and total < WORTH_WORKERS)
    faces = _drawn_here(settings) if alone else _drawn_by_workers(settings, count)
    for done, drawn in enumerate(faces, start=1):
        yield drawn
        if progress is not None:
            progress(done, total)
