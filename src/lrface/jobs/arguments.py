"""The command line of an entry point. Nothing here takes time to import."""

import argparse
from typing import NoReturn

from lrface.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one clear line, as all others."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "parameters",
            got=message,
            expected=" ".join(action.option_strings[0] for action in self._actions if action.option_strings),
            remedy="see --help",
        )
