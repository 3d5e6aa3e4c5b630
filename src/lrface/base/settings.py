"""The base of every typed setting: frozen, and closed to keys that nothing reads."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen group of settings which refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
