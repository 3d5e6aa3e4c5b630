"""A key that is set twice: the last value would count, and the other be lost in silence."""

from collections.abc import Sequence

from lrface.errors import ConfigError


def refuse_twice(overrides: Sequence[str]) -> None:
    """Refuse overrides of which two set the same key, or one a group and the other a key in it.

    Values that are equal to the letter do no harm, and a choice of a group (`data=folder`) goes with keys of it. That
    overrides win over presets and parameters is their use, so these are not looked at.

    Args:
        overrides: As Hydra takes them.

    Raises:
        ConfigError: Two of them differ.
    """
    given: dict[str, str] = {}
    for part in overrides:
        sign_and_key, equals, value = part.partition("=")
        key = sign_and_key.lstrip("+").partition("@")[0]
        if not equals or key.startswith("~"):
            continue
        if given.setdefault(key, value) != value:
            raise _twice(f"{key}={given[key]}", f"{key}={value}")
    whole = [key for key, value in given.items() if value.lstrip().startswith("{")]
    for above in whole:
        below = next((key for key in given if key.startswith(f"{above}.")), None)
        if below is not None:
            raise _twice(f"{above}={given[above]}", f"{below}={given[below]}")


def _twice(one: str, other: str) -> ConfigError:
    return ConfigError(
        "overrides",
        got=f"{one} and {other}",
        expected="each key once",
        remedy="leave one of them out",
    )
