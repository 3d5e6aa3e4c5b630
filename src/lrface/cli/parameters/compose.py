"""From an entry point's parameters to a typed, frozen config."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from lrface.cli.parameters.arguments import NOT_GIVEN
from lrface.cli.parameters.entry_points import Parameter
from lrface.cli.parameters.twice import refuse_twice
from lrface.config import SCHEMAS, JobSettings
from lrface.errors import ConfigError

Schema = TypeVar("Schema", bound=JobSettings)
MADE = ("pack", "procedural")
"""Kinds of data that are no pictures: a pack is split, and drawn people are as their preset draws them."""
NO_DATA = "no data"


def config_folder() -> Path:
    """The folder of Hydra's configs: of the source tree, or the copy that an installed package carries."""
    tree = Path(__file__).resolve().parents[4] / "conf"
    return tree if tree.is_dir() else Path(__file__).resolve().parents[2] / "_conf"


def settings_for(
    job: str,
    schema: type[Schema],
    given: Mapping[str, str],
    parameters: Iterable[Parameter],
    overrides: Sequence[str] | None = None,
) -> Schema:
    """Compose and check the config of a job.

    Args:
        job: Name of the entry point.
        schema: Its schema.
        given: Value by parameter; an empty value or `auto` counts as not given.
        parameters: The parameters of the entry point.
        overrides: What goes on top; none: the parameter `overrides`, split.

    Raises:
        ConfigError: A preset, an override, a key or a value that cannot be used.
    """
    return validated(job, schema, composed(job, given_overrides(job, schema, given, parameters, overrides)))


def given_overrides(
    job: str,
    schema: type[JobSettings],
    given: Mapping[str, str],
    parameters: Iterable[Parameter],
    overrides: Sequence[str] | None = None,
) -> list[str]:
    """What Hydra is told for an entry point's parameters; the arguments and errors are those of `settings_for`."""
    chosen = {name: value for name, value in given.items() if value not in NOT_GIVEN}
    composing = []
    has_data = "data" in schema.model_fields
    if "data" in chosen and has_data:
        composing.append(f"data={_group_choice('data', chosen['data'])}")
    if "preset" in chosen:
        composing += _preset(job, chosen["preset"], chosen.get("data") if has_data else NO_DATA)
    keys = {
        parameter.name: parameter.key
        for parameter in parameters
        if parameter.key and parameter.key.partition(".")[0] in schema.model_fields
    }
    composing += [f"++{keys[name]}={_quoted(value)}" for name, value in chosen.items() if name in keys]
    on_top = free_overrides(chosen.get("overrides", "")) if overrides is None else overrides
    refuse_twice(on_top)
    return [*composing, *on_top]


def free_overrides(text: str) -> list[str]:
    """Split what a user wrote at spaces outside quotes and brackets, and let values be set that no file mentions.

    Quotes are left to Hydra, in whose grammar they keep a value together; those round a whole override go.

    Raises:
        ConfigError: A quote or bracket is not closed, or a part is no override.
    """
    parts = _parts(text)
    groups = {path.name for path in config_folder().iterdir() if path.is_dir()}
    found = []
    for part in parts:
        key, equals, _ = part.partition("=")
        if not equals and not part.startswith("~"):
            raise ConfigError(
                "overrides", got=repr(part), expected="key=value", remedy="write key=value, parted by spaces"
            )
        if key.startswith("-"):
            raise ConfigError("overrides", got=repr(part), expected="key=value", remedy=f"write {part.lstrip('-')}")
        plain = key[:1] not in {"+", "~"} and key.partition("@")[0] not in groups
        found.append(f"++{part}" if plain else part)
    return found


class _Scan:
    """Reads an override sign by sign, as Hydra's grammar does: backslashes, quotes, brackets."""

    def __init__(self) -> None:
        self.quote, self.depth = "", 0
        self._escaped = False

    def bare(self, sign: str) -> bool:
        """Take the next sign, and say whether it stands outside of quotes and brackets, and means itself."""
        if self._escaped:
            self._escaped = False
        elif sign == "\\":
            self._escaped = True
        elif self.quote:
            self.quote = "" if sign == self.quote else self.quote
        elif sign in "'\"":
            self.quote = sign
        else:
            self.depth += (sign in "[{(") - (sign in "]})")
            return not self.depth
        return False


def _bare_comma(part: str) -> bool:
    scan = _Scan()
    return any(scan.bare(sign) and sign == "," for sign in part)


def _parts(text: str) -> list[str]:
    scan, parts = _Scan(), [""]
    for sign in text:
        if scan.bare(sign) and sign.isspace():
            parts.append("")
        else:
            parts[-1] += sign
    if scan.quote or scan.depth > 0:
        raise ConfigError(
            "overrides",
            got=f"{text!r}, which does not end",
            expected="key=value key=value",
            remedy=f"close the {'quote' if scan.quote else 'bracket'}",
        )
    return [whole for part in parts if (whole := _without_outer_quotes(part))]


def _without_outer_quotes(part: str) -> str:
    """A whole override in quotes is unquoted as a shell would: backslashes before a quote or a backslash go."""
    if len(part) < 2 or part[0] not in "'\"" or part[0] != part[-1]:
        return part
    return re.sub(rf"\\([\\{part[0]}])", r"\1", part[1:-1])


def composed(job: str, overrides: Sequence[str]) -> dict[str, object]:
    """Let Hydra compose `conf/<job>.yaml`.

    Raises:
        ConfigError: Hydra refuses.
    """
    try:
        with initialize_config_dir(version_base=None, config_dir=str(config_folder())):
            config = compose(config_name=job, overrides=list(overrides))
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise ConfigError(
            f"config of {job}",
            got=f"no {error.full_key}",
            expected="a value for it",
            remedy=f"give {str(error.full_key).rpartition('.')[2]}",
        ) from error
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        listed = next((part.lstrip("+") for part in overrides if _bare_comma(part)), None)
        if listed is not None:  # Hydra would advise a sweep, which these jobs do not know
            raise ConfigError(
                f"config of {job}",
                got=f"{listed!r}, a comma outside quotes and brackets",
                expected="one value for each key",
                remedy="write key=[a,b] for a list, a point in a number, a space between overrides",
            ) from error
        raise ConfigError(
            f"config of {job}",
            got=" ".join(str(error).split()),
            expected="values that Hydra can compose",
            remedy="correct the parameter or override",
        ) from error
    assert isinstance(plain, dict)  # noqa: S101 - a config file is a mapping
    return {str(key): value for key, value in plain.items()}


def validated(job: str, schema: type[Schema], values: Mapping[str, object]) -> Schema:
    """Check values against a schema; what a group leaves unsaid is as the job's own defaults have it.

    Raises:
        ConfigError: A key is unknown, or a value is of the wrong type or out of range; all are listed.
    """
    try:
        return schema.model_validate(_filled(schema, values))
    except ValidationError as error:
        problems = [_problem(schema, item["loc"], item["type"], item["msg"], item["input"]) for item in error.errors()]
        raise ConfigError(
            f"config of {job}",
            got="; ".join(problems),
            expected="keys and values of its schema",
            remedy="correct the parameter or override"
            + ("; the key of a stage has its name in front: finetune.tuned_share" if job == "main" else ""),
        ) from error


def _filled(schema: type[BaseModel], values: Mapping[str, object]) -> dict[str, object]:
    """The values, each group on top of the default that its field has in this schema.

    A job's default of a group may differ from that of the group's class; one key that is given must not bring the
    others of its group back to those of the class.
    """
    filled = dict(values)
    for name, field in schema.model_fields.items():
        default, value = field.get_default(call_default_factory=True), values.get(name)
        if not isinstance(default, BaseModel) or not isinstance(value, Mapping):
            continue
        if "kind" in value and value["kind"] != getattr(default, "kind", None):
            continue
        kept = {key: getattr(default, key) for key in type(default).model_fields}
        filled[name] = kept | _filled(type(default), value)
    return filled


def _problem(schema: type[BaseModel], place: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    suffix = ""
    if place[0:1] == ("data",) and len(place) > 1 and kind != "union_tag_invalid":
        # the second part is no key, but which kind of source it is
        place, suffix = (place[0], *place[2:]), f" of data={place[1]}"
    dotted = ".".join(str(part) for part in place) + suffix
    if kind == "extra_forbidden" and dotted == "data.source of data=procedural":
        return "source with data=procedural, which draws people; say data=folder, or what else it is"
    if kind == "extra_forbidden":
        name = str(place[-1])
        near = difflib.get_close_matches(name, _siblings(schema, place[:-1]), n=1) or difflib.get_close_matches(
            name, _keys(schema), n=1
        )
        return f"unknown key {dotted}" + (f" (did you mean {near[0]}?)" if near else "")
    shown = "" if isinstance(value, dict) or kind == "credentials" else f" (got {value!r})"
    return f"{dotted or 'config'}: {message.removeprefix('Value error, ')}{shown}"


def _keys(schema: type[BaseModel]) -> list[str]:
    """Every key at any depth."""
    found = []
    for name, field in schema.model_fields.items():
        found.append(name)
        for group in _groups(field.annotation):
            found += _keys(group)
    return found


def _siblings(schema: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that a group has, by its place."""
    here = [schema]
    for name in place:
        here = [
            group
            for model in here
            if name in model.model_fields
            for group in _groups(model.model_fields[str(name)].annotation)
        ]
    return [name for model in here for name in model.model_fields]


def _groups(annotation: object) -> list[type[BaseModel]]:
    """The groups of settings that a field may hold: one, several, or one or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for inner in get_args(annotation) for group in _groups(inner)]


def presets_of(job: str) -> list[str]:
    """The presets that change something in a job."""
    folder = config_folder() / "preset"
    parts = {job, *({"data"} & set(SCHEMAS[job].model_fields))}
    if job in {"main", "search"}:  # which hand them to other jobs
        parts = {path.name for path in folder.iterdir()}
    return sorted({path.stem for part in parts for path in (folder / part).glob("*.yaml")})


def check_preset(job: str, given: Mapping[str, str]) -> None:
    """Refuse a preset that changes nothing in a job; stages of a cycle may have such ones.

    Raises:
        ConfigError: It is another job's, or none at all.
    """
    preset, known = given.get("preset", ""), presets_of(job)
    if preset in NOT_GIVEN or preset in known:
        return
    raise ConfigError(
        "preset",
        got=preset,
        expected=", ".join(known) or f"none, since no preset changes anything in {job}",
        remedy="choose one of these" if known else "leave it out",
    )


def choices(group: str) -> list[str]:
    """The choices of a config group: the kinds of `data`."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def _preset(job: str, preset: str, data: str | None) -> list[str]:
    """The parts of a preset: its own for the job, and what it says of the data where that fits the chosen kind."""
    folder = config_folder() / "preset"
    known = sorted({path.stem for path in folder.glob("*/*.yaml")})
    if preset not in known:
        raise ConfigError("preset", got=preset, expected=", ".join(presets_of(job)), remedy="choose one of these")
    pictures = data is not None and data not in (*MADE, NO_DATA)
    fits = data is None or (pictures and _reads_pictures(folder / "data" / f"{preset}.yaml"))
    parts = (["data"] if fits else []) + [job]
    return [f"+preset/{part}={preset}" for part in parts if (folder / part / f"{preset}.yaml").is_file()]


def _reads_pictures(path: Path) -> bool:
    """Whether a preset's data is some kind of pictures: how these are split is the same for every kind."""
    named = OmegaConf.select(OmegaConf.load(path), "defaults", default=()) if path.is_file() else ()
    return any(choice not in MADE for entry in named for choice in dict(entry).values())


def _group_choice(group: str, choice: str) -> str:
    known = choices(group)
    if choice not in known:
        raise ConfigError(group, got=choice, expected=", ".join(known), remedy="choose one of these")
    return choice


def _quoted(value: str) -> str:
    """The value as Hydra's grammar quotes it: backslashes count only before a quote, and nothing is interpolated."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value.replace("${", r"\${"))
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f"'{escaped}'"
