"""What if a covariate that is known ahead were different: the champion is asked, and nothing is changed."""

from typing import Annotated

import anyio
from fastapi import APIRouter, Body, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from mlops_assets.reading.questions import QuestionError
from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, answer
from mlops_assets.serving.problems import BusyAnswerError
from mlops_assets.serving.what_if import MOST_SECONDS

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"], dependencies=[limits.Checked])
Change = Annotated[str, Field(max_length=200)]
ItemId = Annotated[str, Field(max_length=limits.LONGEST_ITEM)]


class Question(BaseModel):
    """What would be different, and for whom."""

    model_config = ConfigDict(extra="forbid")

    changes: list[Change] = Field(
        min_length=1, max_length=20, description="Such as price=*0.9, temperature=+5, promo=1: over the whole horizon."
    )
    items: list[ItemId] = Field(min_length=1, max_length=100, description="Ids of items.")
    origin: None = Field(default=None, description="The latest; no other can be asked.")


@router.post("/{name}/what-if", summary="Ask the champion: what if?")
async def what_if(request: Request, name: limits.Name, page: Paged, question: Annotated[Question, Body()]) -> Response:
    """Return a row for each item and timestamp: `now`, `changed` and `difference`; one question at a time."""
    served = request.app.state.served

    def ask() -> Response:
        try:
            rows, said = served.what_if.ask(served.spec(name), question.changes, question.items)
        except QuestionError as error:
            words = error.message.removeprefix("--set ")
            parameter = "changes" if words != error.message else "items"
            raise QuestionError(words, advice=error.advice, parameter=parameter) from None
        shown = rows.iloc[page.offset : page.offset + page.limit]
        return answer(request, name, page, len(rows), lambda beside: page.shape.write(shown, {**beside, **said}))

    with anyio.move_on_after(MOST_SECONDS):
        return await served.work(ask, leave=True)
    raise BusyAnswerError(f"the champion has not answered within {MOST_SECONDS:.0f} seconds: come again")
