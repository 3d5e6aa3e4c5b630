"""The base of every typed setting: frozen, and closed to keys that nothing reads."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Settings(BaseModel):
    """A frozen group of settings which refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a file, as `place: what`; where it is no JSON at all the place is the file."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
