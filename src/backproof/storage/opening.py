"""Where bars and results are: STORAGE_URL as Files."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from backproof.storage.files import Files
from backproof.storage.local_files import LocalFiles
from backproof.storage.object_files import FileCache, ObjectFiles

CONNECT_SECONDS, SILENCE_SECONDS = 1.0, 2.0  # of one try
TRIES = 2


@dataclass(frozen=True, slots=True)
class Location:
    """url: file:///… or s3://bucket/prefix; cache: a directory of this machine for copies of objects"""

    url: str
    cache: str
    cache_megabytes: int


def open_files(location: Location) -> Files:
    """Nothing is asked of the place yet. In the process that uses it: an S3 client outlives no fork."""
    url = urlsplit(location.url)
    if url.scheme == "file":
        return LocalFiles(Path(unquote(url.path)))
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    filesystem = S3FileSystem(
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=TRIES),
        background_writes=False,
        allow_delayed_open=True,  # a small file is one request, not three
    )
    place = f"{url.netloc}{url.path}".rstrip("/")
    return ObjectFiles(filesystem, place, FileCache(Path(location.cache), location.cache_megabytes))
