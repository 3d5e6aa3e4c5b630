"""A whole population of drawn faces, by as many workers as there are, in an order that never changes."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from lrface.errors import ConfigError
from lrface.images.procedural.identity import draw_identity
from lrface.images.procedural.nuisance import draw_nuisance
from lrface.images.procedural.render import render
from lrface.settings import Settings

Face = UInt8[np.ndarray, "112 112 3"]
# Below this many pictures, starting processes costs more than it saves.
WORTH_A_POOL = 60
WAITING_PER_WORKER = 3


class ProceduralSettings(Settings):
    """How many people are drawn, and how."""

    subjects: int = Field(200, description="People to draw, count", ge=1, le=9999)
    images_per_subject: int = Field(12, description="Pictures of each person, count", ge=1, le=1000)
    seed: int = Field(
        0, description="Seed of the population: the same seed draws the same people", ge=0, le=2**31
    )
    nuisance: float = Field(
        1.0,
        description="Strength of pose, expression, light and camera: 0 straight and soft, 1 as in the wild",
        ge=0,
        le=1.5,
    )


def subject_name(subject: int) -> str:
    """The name of a drawn person in a manifest: "p0001" for the first, number 0."""
    return f"p{subject + 1:04d}"


def _draw_subject(
    seed: int, subject: int, images: range, strength: float
) -> UInt8[np.ndarray, "n 112 112 3"]:
    identity = draw_identity(seed, subject)
    return np.stack([render(identity, draw_nuisance(seed, subject, image, strength)) for image in images])


def _start_worker() -> None:
    # One thread per process: the processes already fill the cores.
    cv2.setNumThreads(1)


def _drawn_here(settings: ProceduralSettings) -> Iterator[tuple[int, int, Face]]:
    for subject in range(settings.subjects):
        identity = draw_identity(settings.seed, subject)
        for image in range(settings.images_per_subject):
            yield (
                subject,
                image,
                render(identity, draw_nuisance(settings.seed, subject, image, settings.nuisance)),
            )


def _drawn_by_pool(settings: ProceduralSettings, workers: int) -> Iterator[tuple[int, int, Face]]:
    # Fresh interpreters rather than forks: a fork of a process with torch's threads in it can hang.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lrface.images.procedural.batch"])
    images = range(settings.images_per_subject)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        asked = 0
        try:
            for subject in range(settings.subjects):
                while asked < settings.subjects and len(waiting) < workers * WAITING_PER_WORKER:
                    waiting.append(
                        pool.submit(_draw_subject, settings.seed, asked, images, settings.nuisance)
                    )
                    asked += 1
                faces = waiting.popleft().result()
                for image in images:
                    yield subject, image, faces[image]
        finally:
            for task in waiting:
                task.cancel()


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
    """
    if workers < 0:
        raise ConfigError(
            "workers that draw faces",
            got=str(workers),
            expected="0 or more",
            remedy="give 0 for one per core",
        )
    total = settings.subjects * settings.images_per_subject
    count = min(workers or _cores(), settings.subjects)
    alone = count == 1 or (workers == 0 and total < WORTH_A_POOL)
    faces = _drawn_here(settings) if alone else _drawn_by_pool(settings, count)
    for done, drawn in enumerate(faces, start=1):
        yield drawn
        if progress is not None:
            progress(done, total)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
