"""Faces of people who do not exist: drawn from a seed, with no licence and no privacy question."""

from lrface.images.procedural.batch import render_faces, subject_name
from lrface.images.procedural.person.identity import Identity, draw_identity
from lrface.images.procedural.render import landmarks, render
from lrface.images.procedural.view.nuisance import Nuisance, draw_nuisance
from lrface.images.settings import ProceduralSettings

__all__ = [
    "Identity",
    "Nuisance",
    "ProceduralSettings",
    "draw_identity",
    "draw_nuisance",
    "landmarks",
    "render",
    "render_faces",
    "subject_name",
]
