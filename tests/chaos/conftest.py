"""One stack for the short form: its lease is short, so that what stands still is not waited for."""

import random
from collections.abc import Iterator

import pytest

import servers
from chaos import workloads
from chaos.lab import Lab
from chaos.server_world import ServerWorld
from chaos.world import World


@pytest.fixture(scope="module")
def lab(stores: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    kind = ServerWorld if servers.wanted() else World
    world = kind(tmp_path_factory.mktemp("chaos"), settings={"WORKER_LEASE_SECONDS": "5", **workloads.OFTEN})
    with Lab(world, random.Random(20_260_101)) as ready:
        yield ready
