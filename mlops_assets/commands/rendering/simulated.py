"""A simulated year on a terminal: a line a month, and how it went."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape

from mlops_assets.forecasting.decisions.rules import AT_REST
from mlops_assets.forecasting.formatting import counted, number
from mlops_assets.simulation.forecast import NAME
from mlops_assets.simulation.journal import Course, Day, Journal
from mlops_assets.simulation.life import EVENING
from mlops_assets.simulation.world import ITEMS

SHOWN = 10
"""Faults that are shown one by one."""


class Months:
    """Says a line for each month as soon as it is over, and for what was lived of the last one.

    Args:
        say: prints a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._days: list[Day] = []

    def __enter__(self) -> "Months":
        return self

    def __exit__(self, *_: object) -> None:
        if self._days:
            self._say(line(self._days))

    def __call__(self, day: Day) -> None:
        """Note a day."""
        if self._days and self._days[-1].date[:7] != day.date[:7]:
            self._say(line(self._days))
            self._days = []
        self._days.append(day)


def line(days: Sequence[Day]) -> str:
    """Return the line of some days of a month."""
    came = sum(day.came for day in days)
    spent = sum(sum(day.cpu_seconds.values()) for day in days)
    parts = [f"{counted(came, 'row')} came", *_outcomes(days)]
    parts += [counted(count, word) for count, word in _told(days) if count]
    return f"{pd.Timestamp(days[0].date):%b %Y}: {', '.join(parts)} ({number(spent, 1)} CPU s)"


def summary(journal: Journal) -> Iterator[Any]:
    """Yield how it went, for rich to print."""
    seed = "its own history" if journal.seed is None else f"seed {journal.seed}"
    commit = f", commit {journal.commit[:10]}" if journal.commit else ""
    yield (
        f"\n[bold]{escape(journal.forecast)}[/bold]: {len(journal.days)} of {journal.planned} days, {seed}, "
        f"{journal.mode} mode, release {journal.release}{commit}"
    )
    if happened := _happened(journal.days):
        yield f"happened: {escape(', '.join(happened))}"
    if journal.left_out:
        yield f"left out by this seed: {', '.join(journal.left_out)}"
    yield f"decided: {escape(', '.join(_decided(journal.days)) or 'nothing')}"
    if journal.courses:
        yield _costs(journal)
        yield from (f"{course.name}: forecasts {course.verdict}" for course in journal.courses if course.verdict)
        yield from (f"({course.name}: {course.note})" for course in journal.courses if course.note)
    faults = journal.faults
    if journal.seed is not None:
        yield f"auditor: {counted(len(faults), 'fault') if faults else 'no faults'}"
    yield from (f"  [red]✗[/red] {escape(fault)}" for fault in faults[:SHOWN])


def told(day: Day) -> Iterator[str]:
    """Yield a day in words, for rich to print."""
    yield f"\n[bold]{day.date}[/bold]: {counted(day.came, 'row')} came, {day.quarantined} set aside, {day.revised} anew"
    yield from (f"  {escape(one.kind)}{' begins' if one.begins else ''} {escape(one.item)}" for one in day.happened)
    if day.wql is not None:
        yield f"  wql {number(day.wql, 4)}, seasonal naive's {number(day.naive, 4)}"
    yield f"  champion: version {day.champion}" if day.champion else "  no champion"
    yield from (f"  {one.policy}: {one.action}: {escape(one.reason)}" for one in day.asked)
    yield from (f"  version {one.version} {one.outcome}: {escape(one.reason)}" for one in day.decided)
    yield from (f"  alert, {one.kind}: {escape(one.message)}" for one in day.alerts)
    yield from (f"  job {one.job}: {one.state} {escape(one.message)}".rstrip() for one in day.jobs)


def looking_at(folder: Path, date: str) -> Iterator[str]:
    """Yield where the stores of the evening of a day are kept, and commands that look at them."""
    evening = pd.Timestamp(date) + EVENING
    yield f"stores: {folder}, as of that evening:"
    yield f"  export MLOPS_DATA={folder} MLOPS_FORECASTS={folder} MLOPS_NOW={evening.isoformat()}"
    for command in ("status", "history", f"show --item {ITEMS[0]}"):
        yield f"  mlops-assets {command} {NAME}"


def _costs(journal: Journal) -> Any:
    from rich.table import Table

    table = Table("policy", "mean wql", "CPU seconds of training")
    for course in journal.courses:
        table.add_row(course.name, number(mean_of(course), 4), number(sum(course.cpu_seconds), 1))
    return table


def mean_of(course: Course) -> float:
    """Return the mean score of a course, NaN where nothing was scored."""
    scored = [value for value in course.wql if value is not None]
    return sum(scored) / len(scored) if scored else float("nan")


def _happened(days: Sequence[Day]) -> list[str]:
    begun = [one for day in days for one in day.happened if one.begins]
    return [one.kind + (f" ({one.item})" if one.item else "") for one in begun]


def _decided(days: Sequence[Day]) -> list[str]:
    asked = Counter(one.action for day in days for one in day.asked if one.action not in AT_REST)
    return [*(f"{count} × {action} asked for" for action, count in sorted(asked.items())), *_outcomes(days)]


def _outcomes(days: Sequence[Day]) -> list[str]:
    found = Counter(one.outcome for day in days for one in day.decided)
    return [f"{count} {outcome}" for outcome, count in sorted(found.items())]


def _told(days: Sequence[Day]) -> list[tuple[int, str]]:
    return [(sum(len(day.alerts) for day in days), "alert"), (sum(len(day.faults) for day in days), "fault")]
