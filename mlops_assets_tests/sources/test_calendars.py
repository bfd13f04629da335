"""Calendars by file: whose events, of what kind, until when; and what is wrong with a file is said by row."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.sources.base import SourceError
from mlops_assets.sources.calendars import unmatched, with_calendars
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.worlds import declare

SCHOOL = {"name": "school", "path": "school.csv", "start": "from", "end": "to"}
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//schools//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20240310
DTEND;VALUE=DATE:20240312
SUMMARY:Easter
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20240304T230000Z
DTEND:20240305T010000Z
RRULE:FREQ=WEEKLY
SUMMARY:Market
END:VEVENT
END:VCALENDAR
"""


def spec_of(folder: Path, text: str | None = None, spec: dict[str, Any] | None = None, **fields: Any) -> ForecastSpec:
    """A forecast with one calendar, over a file of this text."""
    calendar = {**SCHOOL, **fields}
    if text is not None:
        (folder / str(calendar["path"])).write_text(text)
    return declare(folder, calendars=[{k: v for k, v in calendar.items() if v is not None}], **(spec or {}))


def march(days: int = 15, items: tuple[str, ...] = ("a",), **statics: list[str]) -> pd.DataFrame:
    grid = pd.date_range("2024-03-01", periods=days, unit="us")
    frame = pd.MultiIndex.from_product([items, grid], names=["item_id", "timestamp"]).to_frame(index=False)
    place = {item: number for number, item in enumerate(items)}
    return frame.assign(**{k: [v[place[item]] for item in frame["item_id"]] for k, v in statics.items()})


def days_of(spec: ForecastSpec, frame: pd.DataFrame, item: str = "a", name: str = "school") -> list[int]:
    made = with_calendars(spec, frame)
    return made.loc[(made["item_id"] == item) & (made[name] != 0) & made[name].notna(), "timestamp"].dt.day.tolist()


def test_the_last_day_belongs_to_the_event_and_before_and_after_all_nothing_is_known(tmp_path):
    spec = spec_of(tmp_path, "from;to\n2024-03-03;2024-03-05\n2024-03-08;2024-03-08\n")
    made = with_calendars(spec, march())
    assert made["school"].tolist()[2:8] == [1, 1, 1, 0, 0, 1]
    assert made["school"].isna().tolist() == [True] * 2 + [False] * 6 + [True] * 7
    assert made["school_days_to"].tolist()[2:8] == [0, 0, 0, 2, 1, 0]
    assert list(made.columns[2:]) == spec.calendar_columns


def test_until_says_how_far_a_calendar_goes(tmp_path):
    made = with_calendars(spec_of(tmp_path, "from,to\n2024-03-03,2024-03-05\n", until="2024-03-10"), march())
    assert made["school"].isna().tolist() == [True] * 2 + [False] * 8 + [True] * 5


def test_single_days_of_some_size_and_kind(tmp_path):
    text = "date,visitors,what\n04.03.2024,5000,fair\n06.03.2024,100,concert\n09.03.2024,7000,fair\n"
    fields = {"start": None, "end": None, "date_format": "%d.%m.%Y", "value": "visitors", "kind": "what"}
    made = with_calendars(spec_of(tmp_path, text, **fields, kinds="fair"), march())
    assert made["school"].tolist()[3:9] == [5000, 0, 0, 0, 0, 7000]


def test_an_event_with_hours_ends_when_it_says(tmp_path):
    spec = spec_of(tmp_path, "from,to\n2024-03-03T20:00,2024-03-04T00:00\n2024-03-06T20:00,2024-03-07T02:00\n")
    assert days_of(spec, march()) == [3, 6, 7]


def test_events_are_of_the_items_that_they_name(tmp_path):
    text = "from,to,region\n2024-03-03,2024-03-04,north\n2024-03-06,2024-03-06,south\n"
    spec = spec_of(tmp_path, text, by="region", spec={"covariates": {"static": ["region"]}})
    frame = march(items=("a", "b", "c"), region=["north", "south", "west"])
    assert [days_of(spec, frame, item) for item in "abc"] == [[3, 4], [6], []]
    spec = spec_of(tmp_path, text.replace("region", "shop").replace("north", "a"), by="shop")
    assert [days_of(spec, frame, item) for item in "abc"] == [[3, 4], [], []]


def test_events_that_are_of_no_item_are_told(tmp_path):
    text = "from,to,region\n2024-03-03,2024-03-04,nort\n2024-03-06,2024-03-06,south\n"
    spec = spec_of(tmp_path, text, by="region", spec={"covariates": {"static": ["region"]}})
    frame = march(items=("a", "b"), region=["north", "south"])
    assert unmatched(spec, frame) == ["calendar school: no item has the region of some events: nort"]
    assert unmatched(spec, frame.replace("north", "nort")) == []


def test_events_are_of_a_part_of_what_names_an_item(tmp_path):
    columns = {"item_id": ["city", "shop"], "timestamp": "day", "target": "sales"}
    spec = spec_of(tmp_path, "from,to,city\n2024-03-03,2024-03-04,x/y\n", by="city", spec={"columns": columns})
    assert [days_of(spec, march(items=("x%2Fy/1", "y/2")), item) for item in ("x%2Fy/1", "y/2")] == [[3, 4], []]


def test_icalendar_with_events_that_recur_and_a_file_for_each_region(tmp_path):
    (tmp_path / "north.ics").write_text(ICS)
    (tmp_path / "south.ics").write_text(ICS.replace("20240310", "20240307").replace("20240312", "20240308"))
    files = {"north": "north.ics", "south": "south.ics"}
    fields = {"path": files, "by": "region", "start": None, "end": None}
    changes = {"covariates": {"static": ["region"]}, "time_zone": "Europe/Berlin"}
    frame = march(items=("a", "b"), region=["north", "south"])
    spec = spec_of(tmp_path, **fields, spec=changes)
    assert [days_of(spec, frame, item) for item in "ab"] == [[5, 10, 11, 12], [5, 7, 12]]
    spec = spec_of(tmp_path, **fields, kinds="Easter", spec=changes)
    assert [days_of(spec, frame, item) for item in "ab"] == [[10, 11], [7]]


WRONG = {
    "no such day": (
        "from,to\n2024-03-03,2024-03-05\n2024-02-30,2024-03-07\n",
        "row 2: column from: '2024-02-30' is not",
    ),
    "no day": ("from,to\n,2024-03-05\n", "row 1: column from: '' is not ISO 8601"),
    "backwards": ("from,to\n2024-03-05,2024-03-03\n", "row 1: column to: '2024-03-03' is before from"),
    "torn": ("from,to\n2024-03-05\n", "row 1: 1 fields where the header has 2"),
    "other columns": ("date\n2024-03-05\n", "no column 'from', 'to'; it has: 'date'"),
    "nothing": ("from,to\n", "calendar school: no event in school.csv"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_file_is_said_by_row(tmp_path, what):
    text, words = WRONG[what]
    with pytest.raises(SourceError) as error:
        with_calendars(spec_of(tmp_path, text), march())
    assert words in str(error.value)


def test_what_is_no_icalendar_or_not_there_is_said(tmp_path):
    spec = spec_of(tmp_path, "from,to\n", path="school.ics", start=None, end=None)
    with pytest.raises(SourceError, match=r"school.ics: no iCalendar that can be read"):
        with_calendars(spec, march())
    (tmp_path / "school.ics").unlink()
    with pytest.raises(SourceError, match=r"school.ics: cannot be read \(No such file or directory\)"):
        with_calendars(spec, march())


def test_an_empty_end_is_a_day_and_many_faults_are_counted(tmp_path):
    assert days_of(spec_of(tmp_path, "from,to\n2024-03-03,\n2024-03-09,2024-03-09\n"), march()) == [3, 9]
    with pytest.raises(SourceError, match=r"row 3: .*; and 2 more$"):
        with_calendars(spec_of(tmp_path, "from,to\n" + "x,2024-03-09\n" * 5), march())


def test_what_recurs_seldom_is_known_since_it_first_did(tmp_path):
    rule = "DTSTART;VALUE=DATE:20190310\nDTEND;VALUE=DATE:20190312\nRRULE:FREQ=YEARLY;INTERVAL=5"
    text = ICS.replace("DTSTART;VALUE=DATE:20240310\nDTEND;VALUE=DATE:20240312", rule)
    spec = spec_of(tmp_path, text, path="school.ics", start=None, end=None, kinds="Easter")
    assert with_calendars(spec, march())["school"].tolist() == [0] * 9 + [1, 1] + [0] * 4
    late = spec_of(tmp_path, text.replace("2019", "2024"), path="school.ics", start=None, end=None, kinds="Easter")
    assert with_calendars(late, march())["school"].isna().sum() == 9


@pytest.mark.parametrize("name", ["school.csv", "school.ics"])
def test_a_file_is_read_again_only_where_it_has_changed(tmp_path, name):
    days = {"school.csv": "from,to\n2024-03-01,2024-03-02\n2024-03-10,2024-03-11\n", "school.ics": ICS}
    fields = {"path": name} | ({"start": None, "end": None, "kinds": "Easter"} if name == "school.ics" else {})
    spec, file = spec_of(tmp_path, days[name], **fields), tmp_path / name
    before, stat = days_of(spec, march()), file.stat()
    assert 10 in before
    file.write_text(days[name].replace("0310", "0309").replace("03-10", "03-09"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert days_of(spec, march(14)) == before, "not looked into"
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))
    assert 9 in days_of(spec, march())
