"""What the rows themselves show: the one field of the spec that would mend them."""

import unicodedata
from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.data import hints
from mlops_assets.forecasting.data.contract import Checked, Contract, Window, check
from mlops_assets_tests.forecasting.data.rows import table

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
EVER = Window(pd.Timestamp(1990, 1, 1), pd.Timestamp(2030, 1, 1))


def checked(contract: Contract, stamps, sales=None, items=("a", "b"), **columns) -> Checked:
    stamps = list(stamps)
    sales = [str(n + 1) for n in range(len(stamps))] if sales is None else list(sales)
    whole = {
        "item": np.repeat(items, len(stamps)),
        "day": stamps * len(items),
        "sales": sales * len(items),
        **{name: list(values) * len(items) for name, values in columns.items()},
    }
    return check(
        table(**{name: pd.Series(values, dtype=object) for name, values in whole.items()}), contract, EVER, NOW
    )


def contract(frequency="D", **options) -> Contract:
    return Contract(("item",), "day", "sales", frequency, **options)


def of(frequency, stamps, **options) -> list[str]:
    made = contract(frequency, **options)
    return hints.of_rejected(checked(made, stamps), made)


def dates(start: str, count: int, frequency: str, form: str) -> list[str]:
    return list(pd.date_range(start, periods=count, freq=frequency).strftime(form))


# Timestamps that cannot be read


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("%d.%m.%Y", "%d.%m.%Y"),
        ("%d/%m/%Y", "%d/%m/%Y"),
        ("%m/%d/%Y", "%m/%d/%Y"),
        ("%d-%m-%Y", "%d-%m-%Y"),
        ("%d.%m.%y", "%d.%m.%y"),
        ("%d/%m/%Y %H:%M", "%d/%m/%Y 00:00"),
        ("%m/%d/%Y %I:%M %p", "%m/%d/%Y 12:00 AM"),
        ("%d %b %Y", "%d %b %Y"),
        ("%b %d, %Y", "%b %d, %Y"),
    ],
)
def test_the_format_of_dates_is_named_and_reads_them(form, written):
    stamps = dates("2024-01-20", 40, "D", written)
    assert of("D", stamps) == [f'all 80 rows are like {stamps[0]}: columns.timestamp_format: "{form}"?']
    assert of("D", stamps, timestamp_format=form) == []


def test_days_before_months_are_told_by_the_grid_where_both_can_be_read():
    (days,) = of("D", dates("2024-03-01", 12, "D", "%d/%m/%Y"))
    assert days.endswith('columns.timestamp_format: "%d/%m/%Y"?')
    (months,) = of("MS", dates("2023-01-01", 12, "MS", "%d/%m/%Y"))
    assert months.endswith('columns.timestamp_format: "%d/%m/%Y"?')
    (american,) = of("MS", dates("2023-01-01", 12, "MS", "%m/%d/%Y"))
    assert american.endswith('columns.timestamp_format: "%m/%d/%Y"?')


@pytest.mark.parametrize(
    ("form", "scale"), [("epoch_s", 1), ("epoch_ms", 10**3), ("epoch_us", 10**6), ("epoch_ns", 10**9)]
)
@pytest.mark.parametrize("kind", [int, str, float])
def test_numbers_since_1970_are_told_by_their_digits(form, scale, kind):
    seconds = [int(day.timestamp()) for day in pd.date_range("2024-01-01", periods=30)]
    stamps = [kind(second * scale) for second in seconds]
    (hint,) = of("D", stamps)
    assert hint.endswith(f"columns.timestamp_format: {form}?")
    assert of("D", stamps, timestamp_format=form) == []


def test_weeks_quarters_and_day_numbers_of_excel():
    weeks = dates("2024-01-01", 20, "W-MON", "%G-W%V")
    assert of("W-MON", weeks) == [f'all 40 rows are like {weeks[0]}: columns.timestamp_format: "%G-W%V"?']
    assert of("W-MON", weeks, timestamp_format="%G-W%V") == []
    for form in ("%G%V", "KW%V/%G"):
        written = dates("2024-01-01", 20, "W-MON", form)
        assert of("W-MON", written)[0].endswith(f'columns.timestamp_format: "{form}"?')
        assert of("W-MON", written, timestamp_format=form) == []
    months = dates("2024-01-01", 20, "MS", "%Y%m")
    assert of("MS", months)[0].endswith('columns.timestamp_format: "%Y%m"?')
    quarters = ["2023-Q1", "2023-Q2", "2023-Q3"]
    assert of("QS", quarters)[0].endswith('columns.timestamp_format: "%Y-Q%q"?')
    assert of("QS", quarters, timestamp_format="%Y-Q%q") == []
    assert "day number of Excel" in of("D", [45292, 45293, 45294])[0]


def test_the_midnight_that_ends_a_day():
    hours = [f"2024-01-{day:02} {hour:02}:00" for day in (1, 2) for hour in range(1, 25)]
    assert of("h", hours) == [
        "2024-01-01 24:00 is the midnight that ends a day: write it as 00:00 of the next one; if all stamps end their "
        "periods, columns.stamp: end too?"
    ]


def test_a_declared_format_that_iso_dates_do_not_need():
    (hint,) = of("D", dates("2024-01-01", 5, "D", "%Y-%m-%d"), timestamp_format="%d.%m.%Y")
    assert hint == "all 10 rows are ISO 8601, such as 2024-01-01: leave columns.timestamp_format out?"


def test_nothing_is_guessed_from_nonsense():
    assert of("D", ["soon", "later", "x-y"]) == []


# Timestamps off the grid


@pytest.mark.parametrize(
    ("declared", "true", "words"),
    [
        ("W-SUN", "W-MON", "all 104 rows are Mondays"),
        ("W-MON", "W-FRI", "all 104 rows are Fridays"),
        ("MS", "ME", "all 104 rows are the last day of a month"),
        ("ME", "MS", "all 104 rows are the first day of a month"),
        ("MS", "BME", "all 104 rows are the last business day of a month"),
        ("QS", "QE", "all 104 rows are the last day of a quarter"),
        ("YS", "YE", "all 104 rows are the last day of a year"),
        ("D", "h", "all 104 rows are an hour apart"),
        ("h", "15min", "all 104 rows are 15 minutes apart"),
        ("MS", "D", "all 104 rows are days"),
        ("B", "D", "all 104 rows are days"),
    ],
)
def test_the_frequency_of_the_data_is_named_and_mends_them(declared, true, words):
    count = 30 if true == "YE" else 52
    stamps = dates("1995-01-01", count, true, "%Y-%m-%d %H:%M")
    (hint,) = of(declared, stamps)
    assert hint.startswith(f"{words.replace('104', str(2 * count))}: frequency: {true}?")
    assert of(true, stamps) == []


def test_a_few_strays_do_not_hide_what_most_rows_are():
    stamps = [*dates("2023-01-02", 52, "W-MON", "%Y-%m-%d"), "2023-01-04"]
    assert of("W-SUN", stamps) == ["104 of 106 rows are Mondays: frequency: W-MON?"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Adelaide"])
def test_local_midnights_with_their_offset_name_a_zone_that_mends_them(zone):
    moments = pd.date_range("2024-01-01", periods=200, tz=zone)
    stamps = [moment.isoformat() for moment in moments]
    (hint,) = of("D", stamps)
    offsets = sorted({stamp[-6:] for stamp in stamps})
    assert hint.startswith(f"all 400 rows are midnight at {' or '.join(offsets)}: time_zone: ")
    assert of("D", stamps, time_zone=hint.split("time_zone: ")[1].rstrip("?")) == []


def test_midnights_elsewhere_are_seen_in_utc_and_in_epochs_too():
    moments = pd.date_range("2024-01-01", periods=200, tz="Europe/Berlin")
    utc = [moment.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments]
    assert of("D", utc) == ["all 400 rows are midnight in the zone of Europe/Berlin: time_zone: Europe/Berlin?"]
    epochs = [int(moment.timestamp()) for moment in moments]
    assert of("D", epochs, timestamp_format="epoch_s")[0].endswith("time_zone: Europe/Berlin?")


@pytest.mark.parametrize("time", ["23:59:59", "23:59", "06:00", "12:00", "08:13:27"])
def test_stamps_within_a_day_can_be_floored(time):
    stamps = dates("2024-01-01", 30, "D", f"%Y-%m-%d {time}")
    (hint,) = of("D", stamps)
    assert hint.endswith("columns.timestamp_floor: true?")
    assert of("D", stamps, timestamp_floor=True) == []


def test_sales_one_by_one_need_both_floor_and_sum():
    rng = np.random.default_rng(0)
    stamps = [
        f"2024-01-{1 + n // 10:02} {rng.integers(8, 20):02}:{rng.integers(60):02}:{n % 60:02}" for n in range(200)
    ]
    assert of("D", stamps)[0].endswith(
        "columns.timestamp_floor: true?; several rows of an item share one, so columns.aggregate: sum too?"
    )
    assert of("D", stamps, timestamp_floor=True, aggregate="sum") == []


@given(st.sampled_from(["D", "W-WED", "MS", "ME", "h"]), st.sampled_from(["D", "W-SUN", "MS", "QE", "h"]))
@settings(deadline=None, max_examples=25)
def test_a_frequency_that_is_asked_for_is_never_the_declared_one(true, declared):
    for hint in of(declared, dates("2001-01-01", 60, true, "%Y-%m-%d %H:%M")):
        assert f"frequency: {declared}?" not in hint


# Numbers


def numbers(*sales: str) -> list[str]:
    made = contract()
    days = dates("2024-01-01", len(sales), "D", "%Y-%m-%d")
    return hints.of_rejected(checked(made, days, sales, items=("a",)), made)


@pytest.mark.parametrize(
    ("sales", "field"),
    [
        (("closed", "closed", "?"), 'source.na_values: ["closed", "?"], if it means unknown?'),
        (("€ 12.50", "€ 7"), "leave it out there?"),
        (("12 kg", "7 kg"), "leave it out there?"),
        (("#DIV/0!", "#DIV/0!"), 'source.na_values: ["#DIV/0!"], if it means unknown?'),
        (("(12.50)", "(1,007)"), "write them like -12.50?"),
        (("12.50-", "7-"), "write them like -12.50?"),
        (("\u221212.50", "\u22127"), "write them like -12.50?"),
        (("yes", "no", "no"), "write 1 and 0 in column sales?"),
    ],
)
def test_words_and_units_among_numbers(sales, field):
    (hint,) = numbers(*sales)
    assert hint.endswith(field)


# Rows that come twice


def test_several_sales_a_day_can_be_summed():
    made = contract()
    found = checked(made, ["2024-01-01"] * 3 + ["2024-01-02"] * 3)
    (hint,) = hints.of_rejected(found, made)
    assert hint.startswith(
        "all 12 rows share item and timestamp with another, 3 each: sum them first, or columns.aggregate"
    )


def test_rows_alike_in_one_file_are_told_and_in_two_they_are_not():
    raw = table(*[{"item": "a", "day": f"2024-01-0{day}", "sales": "1"} for day in (1, 2, 1, 2)])
    made = contract()
    found = check(raw, made, EVER, NOW)
    assert found.repeated_share == 0.5
    assert hints.of_rejected(found, made)[0].startswith(
        "2 of 4 rows repeat another one word for word: if each is a sale"
    )
    raw.loc[2:, "_source"] = "b.csv"
    overlapping = check(raw, made, EVER, NOW)
    assert (overlapping.repeated_share, overlapping.counts["rows_collapsed"]) == (0.0, 2)
    assert hints.of_rejected(overlapping, made) == []


def test_files_that_overlap_and_differ_are_told_as_such():
    raw = table(*[{"item": "a", "day": f"2024-01-0{day}", "sales": sold} for sold in "12" for day in (1, 2)])
    raw.loc[2:, "_source"] = "b.csv"
    (hint,) = hints.of_rejected(check(raw, contract(), EVER, NOW), contract())
    assert hint.endswith("such as a.csv, b.csv: exports that overlap: source.latest_wins: name (or modified)?")


@pytest.mark.parametrize(("zone", "hour"), [("Europe/Berlin", "2023-10-29 02"), ("America/Havana", "2023-11-05 00")])
def test_the_hour_that_comes_twice_is_named_as_such(zone, hour):
    made = contract("30min", time_zone=zone)
    stamps = [f"{hour}:{minute}" for minute in ("00", "30", "00", "30")]
    found = checked(made, stamps, ["1", "2", "3", "4"])
    assert hints.of_rejected(found, made) == [
        f"all 8 rows are of the hour that comes twice in {zone}, when clocks are set back: give the timestamps their "
        "offset (the first then counts), or columns.aggregate: mean?"
    ]
    averaged = checked(contract("30min", time_zone=zone, aggregate="mean"), stamps, ["1", "2", "3", "4"])
    assert averaged.accepted["target"].tolist() == [2, 3] * 2


def test_plans_can_be_left_out():
    assert of("D", ["2026-02-01", "2026-02-02"]) == [
        "all 4 rows have a target after now; if these are plans: columns.future: ignore?"
    ]


# What keeps the contract and is odd


def remarks(sales, items=("a",), frequency="D", step="D", median=True) -> list[str]:
    made = contract(frequency)
    return hints.of_accepted(
        checked(made, dates("2024-01-01", len(sales), step, "%Y-%m-%d"), sales, items), made, median
    )


@pytest.mark.parametrize("sentinel", ["-999", "-9999", "9999", "-2147483648", "2147483647", "1e20", "-1e30"])
def test_a_number_that_stands_for_nothing_is_named(sentinel):
    (hint,) = remarks([*map(str, range(10, 40)), sentinel, sentinel])
    assert hint.startswith(f"{float(sentinel):g}" if "e" in sentinel else sentinel)
    assert hint.endswith("times, far from all else: source.na_values: [" + hint.split(" stands")[0] + "]?")


def test_a_negative_number_that_stands_for_nothing_is_named_among_larger_ones_if_it_comes_again():
    sales = [*map(str, range(1500, 1540)), "-999"]
    assert remarks(sales) == []
    (hint,) = remarks([*sales, "-999"])
    assert hint.startswith("-999 stands in column sales 2 times")


@pytest.mark.parametrize("top", [999, 9999, 99999])
def test_a_number_among_its_like_stands_for_itself(top):
    assert remarks([str(n) for n in range(top - 60, top + 20, 2)]) == []
    assert remarks([str(n) for n in range(-1000, 1000, 37)]) == []


@pytest.mark.parametrize(
    ("pair", "how"),
    [
        (("Caf\u00e9", unicodedata.normalize("NFD", "Caf\u00e9")), "how their accents are encoded (NFC and NFD)"),
        (("North", "NORTH"), "case or spaces"),
        (("New  York", "New York"), "case or spaces"),
        (("7", "7.0"), "a '.0'"),
    ],
)
def test_one_item_spelt_in_two_ways(pair, how):
    (hint,) = remarks([str(n) for n in range(5)], items=pair)
    assert how in hint
    assert all(repr(name) in hint for name in pair)
    assert remarks([str(n) for n in range(5)], items=("Caf\u00e9", "Cafe")) == []


def test_an_object_is_no_name():
    found = remarks([str(n) for n in range(5)], items=({"id": "a"}, {"id": "b"}))
    assert found == ["2 items are objects or lists, such as {'id': 'a'}: write the name in them as a field of its own"]
    assert remarks([str(n) for n in range(5)], items=("{a}", "[b]")) == []


def test_a_median_of_zero_asks_for_the_mean():
    sales = ["0"] * 7 + ["3", "1", "2"]
    assert remarks(sales) == ["70% of the targets are 0, so that a median forecast is 0 too: point: mean?"]
    assert remarks(sales, median=False) == []
    assert remarks(["0", "1"] * 5) == []


def test_weeks_declared_as_days_are_seen_though_no_row_is_rejected():
    assert remarks([str(n) for n in range(20)], step="W-MON") == ["all 20 rows are Mondays: frequency: W-MON?"]
    assert remarks([str(n) for n in range(20)], step="D") == []
    assert remarks([str(n) for n in range(20)], step="B") == []
