"""Where runs are tracked."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from lrface.base.settings import Settings
from lrface.tracking.names import EXPERIMENT


class TrackingSettings(Settings):
    """Where runs are tracked and how patient the tracking is."""

    experiment: str = Field(
        default=EXPERIMENT, description="name of the MLflow experiment", min_length=1, max_length=250
    )
    uri: str | None = Field(default=None, description="tracking URI; none: SQLite at mlruns/mlflow.db in the project")
    artifacts: str | None = Field(
        default=None,
        description="artifact location of a new experiment; none: mlruns/artifacts, or the server's own",
    )
    retries: int = Field(
        default=2, description="repeats of one call to a server before it counts as failed", ge=0, le=10
    )
    timeout_seconds: int = Field(default=30, description="longest wait for one answer of a server [s]", ge=1, le=3600)
    flush_seconds: float = Field(
        default=1.0, description="time between two deliveries of what was logged [s]", gt=0, le=600
    )
    backoff_seconds: float = Field(
        default=15.0, description="longest pause between two attempts at a dead server [s]", gt=0, le=600
    )
    drain_seconds: float = Field(
        default=60.0, description="longest wait at the end of a run for the last delivery [s]", ge=0, le=86400
    )
    system_seconds: float | None = Field(
        default=None,
        description="time between two samples of processor, memory and GPU [s]; none: off",
        gt=0,
        le=3600,
    )

    @field_validator("uri", "artifacts")
    @classmethod
    def _no_credentials(cls, uri: str | None) -> str | None:
        # The message must not hold the URI: it would print what it refuses.
        if uri is not None and "@" in urlsplit(uri).netloc:
            raise PydanticCustomError(
                "credentials",
                "a URI with credentials in it: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                "or for a database MLFLOW_TRACKING_URI, in the environment instead",
            )
        return uri
