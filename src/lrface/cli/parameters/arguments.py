"""The command line of an entry point. Nothing here takes time to import."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lrface.errors import ConfigError

NOT_GIVEN = frozenset({"", "auto"})


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one clear line, as all others."""

    @property
    def _overrides(self) -> bool:
        return any("--overrides" in action.option_strings for action in self._actions)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Parse; whatever follows an option that wants a value is its value, also where it begins with a dash."""
        return super().parse_known_args(self._joined(sys.argv[1:] if args is None else list(args)), namespace)

    def _joined(self, words: Sequence[str]) -> list[str]:
        options, joined = self._option_string_actions, list[str]()
        coming = iter(words)
        for word in coming:
            action = options.get(word)
            if action is None or action.nargs is not None or not word.startswith("--"):
                joined.append(word)
                continue
            value = next(coming, None)
            # The name of another option is no value: there the value was forgotten.
            joined += [word] if value is None else [word, value] if value in options else [f"{word}={value}"]
        self._refuse_twice(joined)
        return joined

    def _refuse_twice(self, words: Sequence[str]) -> None:
        """Refuse an option that is given two values: of them the last would count, in silence."""
        given: dict[str, str] = {}
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or name not in self._option_string_actions:
                continue
            if given.setdefault(name, value) != value:
                raise ConfigError(
                    "parameters",
                    got=f"{name} twice, {given[name]!r} and {value!r}",
                    expected="each parameter once",
                    remedy="leave one of them out",
                )

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "parameters",
            got=message,
            expected=" ".join(action.option_strings[-1] for action in self._actions if action.option_strings),
            remedy="see --help; other keys of the config go into --overrides" if self._overrides else "see --help",
        )


def log_named(words: Sequence[str]) -> str:
    """What a command line says about `log`, looked up first, so that complaints about the rest come in that form."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--log", default="")
    log: str = parser.parse_known_args(words)[0].log
    return "plain" if log in NOT_GIVEN else log
