"""How many faces a network has been shown: what makes two arms comparable."""

from collections.abc import Mapping

from lrface.cli.context import Context
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.registry.versions import ModelVersion
from lrface.training.loop.module import Outcome, TrainingModule


def seen_tags(training: TrainingModule, outcome: Outcome, start: ModelVersion | None) -> dict[str, int]:
    """Faces that a training has shown its network, and with those of the network that it started from.

    A face counts each time it is shown. What a network saw before it came into the registry is not known and not
    counted.
    """
    here = outcome.epochs * (training.source.faces if training.source is not None else 0)
    return {VersionTag.FACES_SEEN.value: here, VersionTag.FACES_IN_ALL.value: here + seen_in_all(start)}


def seen_in_all(version: ModelVersion | None) -> int:
    """Faces that a version and those before it were shown by the jobs that made them."""
    return int(version.tags.get(VersionTag.FACES_IN_ALL, "0")) if version is not None else 0


def may_be_named(seen: Mapping[str, int], alias: Alias, context: Context) -> bool:
    """Whether an alias may move to what a training has made: not where it was shown no face, as with no epochs.

    Args:
        seen: As `seen_tags` gives it.
        alias: The alias.
        context: Whether this job names what it makes at all, and the terminal.
    """
    if context.names and not seen[VersionTag.FACES_SEEN.value]:
        cause = f"this network was shown no face here, and is registered without the alias {alias}, which stays"
        context.terminal.finding("warning", "untrained", cause, "give it epochs")
        return False
    return context.names
