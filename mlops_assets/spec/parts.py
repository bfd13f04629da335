"""What all parts of a spec have in common."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from mlops_assets.errors import nearest

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
"""Of what names of ours are made of."""
VARIABLE = re.compile(r"\$\{(\w+)\}")
"""How a spec names a variable of the environment."""


class MisfitError(ValueError):
    """Fields that are right by themselves and wrong together; `path` says which one to look at."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = tuple(path.split("."))


_NO_TIME = re.compile(r"[0-9]W|(?<![a-z])R(?![a-z])", re.IGNORECASE)
"""What a line of cron may say for croniter: the nearest weekday, which Dagster does not know; a time that is drawn."""


def as_list(value: Any) -> Any:
    """Return a list of one for a text; anything else as it is."""
    return [value] if isinstance(value, str) else value


def _cron(value: str) -> str:
    from croniter import CroniterBadDateError, croniter

    if not croniter.is_valid(value) or len(croniter.expand(value)[0]) != 5 or _NO_TIME.search(value):
        raise ValueError("not a cron line of five fields such as '0 6 * * *'")
    try:
        croniter(value).get_next()
    except CroniterBadDateError:
        raise ValueError("a cron line of a day that never comes, such as the 31st of April") from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = nearest(value, sorted(available_timezones()))
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"not an IANA time zone such as Europe/Berlin{hint}") from None
    return value


_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z|]{2,7}")
_TEAM = re.compile(r"team:.+", re.DOTALL)
_TAG = re.compile(r"([\w.-]{1,63}/)?[\w.-]{1,63}", re.ASCII)
_TAG_TEXT = re.compile(r"[\w.-]{0,63}", re.ASCII)


def is_owner(value: str) -> bool:
    """Whether Dagster takes a text as an owner: an e-mail address, or team:NAME."""
    return bool(_EMAIL.fullmatch(value) or _TEAM.fullmatch(value))


def tag_problem(name: str, text: str) -> str:
    """Say why Dagster does not take a tag; empty where it does."""
    if not _TAG.fullmatch(name):
        return "the name of a tag is of at most 63 letters, digits, _, - and ., before it such a prefix and a /"
    if not _TAG_TEXT.fullmatch(text):
        return "a tag is of at most 63 letters, digits, _, - and ."
    return ""


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = r"^[0-9]{1,4}[smhd]$"


def span_of(value: str) -> datetime.timedelta:
    """Return a duration such as 90s, 30m, 10h or 2d.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(DURATION, value):
        raise ValueError("a whole number and s, m, h or d: 90s, 30m, 10h, 2d")
    return datetime.timedelta(**{_UNITS[value[-1]]: int(value[:-1])})


def _duration(value: str) -> str:
    span_of(value)
    return value


Duration = Annotated[str, AfterValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION})]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[
    list[Name],
    BeforeValidator(as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _owners(value: list[str]) -> list[str]:
    for number, owner in enumerate(value):
        if not is_owner(owner):
            raise MisfitError(str(number), f"{owner!r} is neither an e-mail address nor team:NAME")
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if problem := tag_problem(name, text):
            raise MisfitError(name, problem)
    return value


Owners = Annotated[Names, AfterValidator(_owners)]
Tags = Annotated[dict[str, str], AfterValidator(_tags)]


class Part(BaseModel):
    """Base of all parts: unknown fields are errors, no type is guessed, nothing changes after reading.

    What validates a part is built when it is needed: what validates the whole builds its parts' once more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


def choice(given: Any, allowed: Iterable[str]) -> str:
    """Say what is allowed and which of it is nearest to what was found."""
    names = list(allowed)
    near = nearest(given, names)
    hint = f"did you mean {near[0]!r}? Allowed" if near else "allowed"
    return f"{hint}: {', '.join(names)}"


def repeated(names: Iterable[str]) -> str:
    """Name what stands more than once; empty where nothing does."""
    return ", ".join(repr(name) for name, count in Counter(names).items() if count > 1)


def day_of(value: str) -> str:
    """Return a date as it stands in a spec; ValueError if it is none, or none that pandas can reckon with."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("not a date such as 2013-01-01")
    try:
        day = datetime.date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"not a date: {error}") from None
    if not 1700 <= day.year <= 2200:
        raise ValueError("not a date between the years 1700 and 2200")
    return value


_COMMON_COUNTRIES = """
AR AT AU BE BG BR CA CH CL CN CO CY CZ DE DK EE EG ES FI FR GB GR HR HU ID IE IL IN IS IT JP KE KR LT LU LV MA MT
MX MY NG NL NO NZ PE PH PK PL PT RO RS SA SE SG SI SK TH TN TR TW UA US UY VN ZA
"""
COMMON_COUNTRIES = frozenset(_COMMON_COUNTRIES.split())
"""Countries whose holidays are known for sure: importing the package to ask takes half a second."""


def known_country(value: str | None) -> str | None:
    """Return a country, with a subdivision such as US-NY; ValueError where there are no such holidays."""
    if value is not None and value not in COMMON_COUNTRIES:
        import holidays

        from mlops_assets.forecasting.model.features.calendar import prepare_country

        country, dash, subdivision = value.partition("-")
        prepare_country(country)
        try:
            if dash and not subdivision:
                raise NotImplementedError
            holidays.country_holidays(country, subdiv=subdivision or None)
        except NotImplementedError:
            countries = holidays.list_supported_countries()
            allowed = [f"{country}-{part}" for part in countries.get(country, [])] or list(countries)
            near = nearest(value.upper(), allowed)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no country such as US, and no subdivision such as US-NY{hint}") from None
    return value
