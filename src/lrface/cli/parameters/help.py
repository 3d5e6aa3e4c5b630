"""What `--help` says about a parameter: its meaning, and type, range and default of the key that it sets."""

from collections.abc import Iterator, Sequence

from lrface.cli.parameters.compose import choices, presets_of
from lrface.cli.parameters.entry_points import Parameter
from lrface.cli.parameters.keys import keys_of
from lrface.cli.terminal.terminal import Terminal
from lrface.config import JobSettings


def help_texts(job: str, schema: type[JobSettings], parameters: Sequence[Parameter]) -> Iterator[str]:
    """What is to be known of each parameter, in one sentence."""
    keys = {key.name: key for key in keys_of(schema) if not key.of}
    for parameter in parameters:
        if parameter.name == "preset":
            known = presets_of(job)
            facts = (
                [", ".join(known), "default none of them"]
                if known
                else ["default none; no preset changes anything here"]
            )
        elif parameter.name == "data":
            facts = [", ".join(choices("data")), "default procedural"]
        elif parameter.name == "log":
            facts = [f"default {Terminal.log}"]
        elif parameter.key in keys:
            key = keys[parameter.key]
            facts = [key.kind, f"default {key.default}"]
        else:
            facts = [parameter.default] if parameter.default else []
        yield f"{parameter.text} ({'; '.join(facts)})" if facts else parameter.text
