"""Whether the people of a source are the folders that were given as theirs, or those one level below."""

from collections import defaultdict
from collections.abc import Iterable

from lrface.data.checks.findings import Collector

_LEAST = 2


def check_depth(sources: Iterable[str], subjects: Iterable[str], collect: Collector) -> None:
    """Looks for SOURCE/ANYTHING/PERSON/PICTURE, of which the top folder passes for the person.

    One person whose pictures all lie in several folders below is no source to train or judge by, so it is taken for
    that. Of several such people it is likely only where no two of them share a folder's name, as sessions would.

    Args:
        sources: Path of each face, relative to the source.
        subjects: Whose face it is.
        collect: Gets the finding.
    """
    below: defaultdict[str, set[str]] = defaultdict(set)
    for source, subject in zip(sources, subjects, strict=True):
        parts = source.split("/")
        if len(parts) < _LEAST + 1 or parts[0].strip() != subject:
            return  # a picture of its own, or a source whose folders say nothing of people
        below[subject].add(parts[1])
    if not below or min(map(len, below.values())) < _LEAST:
        return
    names = sorted(name for folders in below.values() for name in folders)
    if len(below) == 1:
        (person,) = below
        collect.add(
            "nested",
            len(names),
            f"all pictures are of one person, {person}, in {len(names)} folders below: these look like the people",
            names,
            f"give the folder {person} itself as the source",
        )
    elif len(set(names)) == len(names):
        collect.add(
            "nested_several",
            len(names),
            f"the pictures of all {len(below)} people lie in folders below, {len(names)} of different names: "
            "these may be the people",
            names,
            "if so, put them side by side in one folder",
        )
