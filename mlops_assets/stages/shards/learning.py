"""Training rows of all items, drawn shard by shard where there are many: the same rows either way."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import window_of
from mlops_assets.forecasting.model import features, kinds
from mlops_assets.forecasting.model.task import Task
from mlops_assets.stages import train
from mlops_assets.stages.remarks import Remarks
from mlops_assets.stages.shards.history import Histories, Part

Surveys = list[list[features.Survey]]
"""Of each drawing those of a part; none where it has no rows."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the rows to learn a task from.

    Attributes:
        task: what is forecast.
        until: the last timestamp that is looked at.
        origin: what was known at it is learnt from, where the spec asks for that; None: what is known now.
    """

    task: Task
    until: pd.Timestamp
    origin: pd.Timestamp | None = None


@dataclass(frozen=True)
class TrainingSet:
    """What a model learns from.

    Attributes:
        rows: those of its kind.
        observations: rows of the history.
        odd: what is odd about the observations.
    """

    rows: pd.DataFrame
    observations: int
    odd: Remarks


def training_set(graph: Graph, histories: Histories, last: str | None, task: Task) -> TrainingSet:
    """Make the rows that a model learns from; see `train.training_set`.

    Raises:
        DataError: there is no such row.
    """
    if not histories.many or not kinds.draws(task.model.kind):
        whole = histories.whole
        rows = whole.renewed(train.training_set(graph, whole.history, last, task), task)
        return TrainingSet(rows, len(whole.history), Remarks.of(graph.spec, whole.observations))
    end = window_of(graph.partitions, last).end - pd.Timedelta(microseconds=1) if last else None
    drawing = Drawing(task, histories.last(end))
    with histories.kept():
        surveys, counts, odd = zip(*histories.each(_look, drawing, only_targets=True), strict=True)
        rows = pd.concat(_drawn(histories, [drawing], [_plan(surveys, drawing)])[0], ignore_index=True)
    return TrainingSet(rows, sum(counts), Remarks.together(graph.spec, odd))


def rows_of(histories: Histories, drawings: Sequence[Drawing]) -> Iterator[pd.DataFrame]:
    """Yield what each task's kind of model learns from.

    Kinds that cannot draw by shards (`kinds.draws`) are given the whole history.

    Args:
        histories: of all items.
        drawings: what is drawn.

    Raises:
        DataError: there is nothing to learn from.
    """
    if not histories.many:
        for one in drawings:
            whole = histories.whole.then(one.origin)
            history = whole.history[whole.history["timestamp"] <= one.until]
            yield whole.renewed(kinds.rows(history, one.task), one.task)
        return
    by_shard = [one for one in drawings if kinds.draws(one.task.model.kind)]
    drawn = _drawn(histories, by_shard, _plans(histories, by_shard)) if by_shard else []
    for one in drawings:
        if kinds.draws(one.task.model.kind):
            yield pd.concat(drawn.pop(0), ignore_index=True)
        else:
            yield kinds.rows(histories.whole.then(one.origin).history, one.task, one.until)


def _plans(histories: Histories, drawings: Sequence[Drawing]) -> list[features.Plan]:
    parts = list(histories.each(_survey, drawings, only_targets=True))
    return [_plan(surveys, one) for one, surveys in zip(drawings, zip(*parts, strict=True), strict=True)]


def _plan(surveys: Iterable[list[features.Survey]], drawing: Drawing) -> features.Plan:
    return features.Plan.of([survey for part in surveys for survey in part], drawing.task)


def _drawn(
    histories: Histories, drawings: Sequence[Drawing], plans: Sequence[features.Plan]
) -> list[list[pd.DataFrame]]:
    found: list[list[pd.DataFrame]] = [[] for _ in drawings]
    for part in histories.each(_draw, drawings, plans):
        for frames, own in zip(found, part, strict=True):
            frames.extend(own)
    return found


def _look(part: Part, drawing: Drawing) -> tuple[list[features.Survey], int, Remarks]:
    return _survey(part, [drawing])[0], len(part.targets), Remarks.of(part.spec, part.observations)


def _survey(part: Part, drawings: Sequence[Drawing]) -> Surveys:
    return [features.survey(part.then(one.origin).targets, one.task, one.until) for one in drawings]


def _draw(part: Part, drawings: Sequence[Drawing], plans: Sequence[features.Plan]) -> list[list[pd.DataFrame]]:
    found = []
    for one, plan in zip(drawings, plans, strict=True):
        then = part.then(one.origin)
        rows = features.draw(then.history, one.task, one.until, plan)
        found.append([then.renewed(frame, one.task) for frame in rows])
    return found
