"""Imports of modules that bring torch and MLflow with them."""

import gc
import sys
from importlib import import_module
from types import ModuleType


def imported(name: str) -> ModuleType:
    """Import a module, and keep the garbage collector away from what that makes.

    Torch, MLflow and what they need make a million objects that live as long as the process. Looking through them again
    and again while they are made took a fifth of the time that their import takes.
    """
    if name in sys.modules:
        return sys.modules[name]
    collects = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        if collects:
            gc.enable()
