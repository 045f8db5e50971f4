"""/api/v1/strategies/rules: the language of rules, for whoever writes in it."""

import asyncio
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Body

from backproof.engine.rules import check, completions
from backproof.web.bodies import StrictRoute
from backproof.web.openapi import body_problems, problems
from backproof.web.schemas.common import PageOut
from backproof.web.schemas.rules import CHECK_EXAMPLES, CompletionOut, RulesCheckIn, RulesCheckOut

router = APIRouter(prefix="/api/v1/strategies/rules", tags=["strategies"], route_class=StrictRoute)


@router.post(
    "/check",
    operation_id="check_rules",
    summary="Check rules without running them",
    response_model=RulesCheckOut,
    responses=body_problems(),
)
async def check_rules(body: Annotated[RulesCheckIn, Body(openapi_examples=CHECK_EXAMPLES)]) -> RulesCheckOut:
    """Every mistake at once with its line and column (as the answer, not as a problem), or what the rules come to."""
    return RulesCheckOut.model_validate(await asyncio.to_thread(check, body.parameters, body.direction))


@cache
def _words() -> list[CompletionOut]:
    return [CompletionOut.of(completion) for completion in completions()]


@router.get(
    "/completions",
    operation_id="list_rule_completions",
    summary="The words of the language of rules",
    response_model=PageOut[CompletionOut],
    responses=problems(),
)
async def find() -> PageOut[CompletionOut]:
    """Prices, keywords and functions with signature and meaning, for an editor."""
    return PageOut[CompletionOut](items=_words(), next_cursor=None, total=len(_words()))
