"""An S3-compatible store in memory: moto's server, in a process of its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from mongo_servers import Missing

ENVIRONMENT = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


def environment(endpoint: str) -> dict[str, str]:
    return dict(zip(ENVIRONMENT, (endpoint, "tests", "tests-secret-key", "us-east-1"), strict=True))


@cache
def _client(endpoint: str) -> Any:
    """Kept: one that is thrown away leaves its sockets to the garbage collector, which warns in somebody's test."""
    import boto3

    given = environment(endpoint)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        region_name=given["AWS_REGION"],
    )


class Bucket:
    """A bucket of that server, or a prefix in it, seen without the product. url: s3://bucket/prefix"""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = _client(os.environ["AWS_ENDPOINT_URL"])

    def make(self) -> None:
        self._client.create_bucket(Bucket=self._bucket)

    def lose(self) -> None:
        """The bucket with all that is in it, which may be written to meanwhile."""
        while True:
            for key in self._keys(""):
                self._client.delete_object(Bucket=self._bucket, Key=key)
            try:
                self._client.delete_bucket(Bucket=self._bucket)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
            else:
                return

    def paths(self, directory: str) -> list[str]:
        """Files in the directory and below it; objects that only stand for a directory are none."""
        found = self._keys(f"{self._prefix}/{directory.rstrip('/')}/")
        return [key.removeprefix(f"{self._prefix}/") for key in found if not key.endswith("/")]

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{path}")
        except self._client.exceptions.NoSuchKey:
            raise FileNotFoundError(path) from None
        return bytes(answer["Body"].read())

    def _keys(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Its address. Raises Missing."""
    with process() as (_, endpoint):
        yield endpoint


@contextlib.contextmanager
def process() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """As server, for whoever stops it."""
    import servers

    command = servers.command("servers.s3")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as started:
        try:
            assert started.stdout is not None
            word, _, endpoint = started.stdout.readline().strip().partition(" ")
            if word != "ready":
                raise Missing("the S3-compatible store (moto) does not start")
            yield started, endpoint
        finally:
            started.kill()  # in memory: there is nothing to save


def main() -> None:
    """Serve until whoever started this is gone."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    with contextlib.redirect_stdout(sys.stderr):
        moto.start()
    print(f"ready http://127.0.0.1:{moto.get_host_and_port()[1]}", flush=True)
    sys.stdin.read()
