"""What routes ask for: the services, the owner, a run."""

import re
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.requests import HTTPConnection

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.errors import NotFound, StoreUnavailable
from backproof.web import security

_RUN_ID = re.compile(r"bt-[0-9a-z]{12}")


# asynchronous though nothing is awaited: FastAPI sends every other dependency through a thread


async def services(connection: HTTPConnection) -> ServiceFactory:
    factory: ServiceFactory | None = connection.app.state.services
    if factory is None:
        raise StoreUnavailable(connection.app.state.opening.reason)
    return factory


async def owner(_request: Request) -> str:
    return security.owner()


Services = Annotated[ServiceFactory, Depends(services)]
Owner = Annotated[str, Depends(owner)]


def known_form(run_id: str) -> str:
    """The id, if it can be one at all: the store is never asked about anything else."""
    if not _RUN_ID.fullmatch(run_id):
        raise NotFound(f"there is no backtest {run_id[:60]!r}")
    return run_id


async def run_id(
    backtest_id: Annotated[
        str,
        Path(description="Id of the backtest, from the answer to its submission.", examples=["bt-4f0k2m9q7xza"]),
    ],
) -> str:
    return known_form(backtest_id)


RunId = Annotated[str, Depends(run_id)]


async def run(id: RunId, services: Services, owner: Owner) -> Backtest:
    return await services.orchestrator.get(id, owner)


Run = Annotated[Backtest, Depends(run)]
