"""A folder on S3: any endpoint that speaks its protocol, credentials from the environment alone."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from boto3.exceptions import Boto3Error
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, NoCredentialsError

from lrface.errors import ConfigError, DataError

SCHEME: Final = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {"401", "403", "AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken"}
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 10, 60, 5


def is_s3(place: object) -> bool:
    """Tells whether a place is named by an S3 URI."""
    return str(place).startswith(SCHEME)


@dataclass(frozen=True)
class Place:
    """Where something lies: ``s3://bucket/prefix``.

    Attributes:
        bucket: The bucket.
        prefix: What the keys below it begin with, without a slash at the end.
    """

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """The URI."""
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    @property
    def name(self) -> str:
        """The last part of the prefix."""
        return self.prefix.rpartition("/")[2]

    def key(self, name: str) -> str:
        """The key of something in this folder."""
        return f"{self.prefix}/{name}"


def place_of(uri: str) -> Place:
    """Reads an S3 URI.

    Raises:
        ConfigError: It is none, or holds what must not be in a URI.
    """
    expected, remedy = "s3://bucket/prefix", "correct it; credentials belong in the environment"
    bucket, _, prefix = uri.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if "@" in bucket or ":" in bucket:
        raise ConfigError("S3 URI", got="an address with credentials or a port in it", expected=expected, remedy=remedy)
    if not is_s3(uri) or not _BUCKET.fullmatch(bucket) or not prefix or "//" in prefix:
        raise ConfigError("S3 URI", got=uri, expected=expected, remedy=remedy)
    return Place(bucket, prefix)


class Folder:
    """A folder on S3. May be shared between threads.

    The endpoint is ``AWS_ENDPOINT_URL`` or ``MLFLOW_S3_ENDPOINT_URL``, else that of AWS; credentials come from where
    boto3 finds them in the environment (variables, profile, instance role).

    Args:
        place: Where.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._client = _client()

    def read(self, name: str, most: int) -> bytes | None:
        """Reads something small; None where there is nothing of that name.

        Args:
            name: Its name in the folder.
            most: Most bytes that are taken.

        Raises:
            DataError: It is larger, or S3 cannot be reached or refuses.
        """
        with self._told(name):
            try:
                content = self._whole(name, most + 1)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        if len(content) > most:
            got = f"more than {most} bytes"
            raise DataError(self._name(name), got=got, expected="a file of a pack", remedy="publish the pack again")
        return content

    def holds(self, name: str, content: bytes) -> bool:
        """Tells whether this very content is there under that name, as far as a server says without sending it.

        The ETag of what was written in one piece is its MD5, unless the server encrypts; then it is sent again.

        Raises:
            DataError: S3 cannot be reached or refuses.
        """
        with self._told(name):
            try:
                found = self._client.head_object(Bucket=self.place.bucket, Key=self.place.key(name))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return False
                raise
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return int(found["ContentLength"]) == len(content) and str(found["ETag"]).strip('"') == md5

    def write(self, name: str, content: bytes) -> None:
        """Writes something; it appears whole or not at all.

        Raises:
            DataError: S3 cannot be reached or refuses.
        """
        with self._told(name):
            self._client.put_object(Bucket=self.place.bucket, Key=self.place.key(name), Body=content)

    def upload(self, path: Path, name: str) -> None:
        """Writes a file, in parts where it is large.

        Raises:
            DataError: S3 cannot be reached or refuses.
        """
        with self._told(name):
            self._client.upload_file(str(path), self.place.bucket, self.place.key(name))

    def _whole(self, name: str, most: int) -> bytes:
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._client.get_object(Bucket=self.place.bucket, Key=self.place.key(name))
            try:
                content: bytes = answer["Body"].read(most)
            except (HTTPClientError, IncompleteReadError):  # boto3 tries again up to the headers, not beyond
                if attempt == _ATTEMPTS:
                    raise
            else:
                return content
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _name(self, name: str) -> str:
        return f"{self.place.uri}/{name}"

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except NoCredentialsError as error:
            raise DataError(
                self._name(name),
                got="no credentials",
                expected="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or a profile",
                remedy="set them",
            ) from error
        except (BotoCoreError, ClientError, Boto3Error, OSError) as error:
            raise _refusal(self._name(name), error) from error


def upload_folder(folder: Path, uri: str) -> None:
    """Copies all files below a folder to S3.

    Raises:
        ConfigError: The URI is none.
        DataError: S3 cannot be reached or refuses.
    """
    target = Folder(place_of(uri))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target.upload(path, path.relative_to(folder).as_posix())


def _client() -> BaseClient:
    endpoint = next((os.environ[name] for name in _ENDPOINT if os.environ.get(name)), None)
    session = boto3.session.Session()
    # Servers other than AWS know neither buckets in host names nor, often, checksums in trailers.
    own: dict[str, Any] = {"s3": {"addressing_style": "path"}} if endpoint else {}
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=16,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **own,
    )
    try:
        region = session.region_name or "us-east-1"
        return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    except (ValueError, BotoCoreError) as error:
        raise ConfigError(
            "S3", got=f"settings that make no client ({error})", expected="an address such as http://host:9000",
            remedy=f"correct {' or '.join(_ENDPOINT[1:])}",
        ) from error  # fmt: skip


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(what: str, error: Exception) -> DataError:
    code = _code(error) if isinstance(error, ClientError) else ""
    if code in _REFUSED:
        return DataError(
            what, got=f"a refusal ({code})", expected="credentials that may do this", remedy="check key and secret"
        )
    if code == "NoSuchBucket":
        return DataError(what, got="no such bucket", expected="a bucket that is there", remedy="make it")
    text = " ".join(str(error).split())
    return DataError(
        what,
        got=f"no answer ({text})",
        expected="an S3 server that answers",
        remedy=f"check the network and {' or '.join(_ENDPOINT[1:])}",
    )
