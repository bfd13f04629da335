"""The round of the example as a plain script: what one writes with pandas and scikit-learn, and nothing around it.

    python benchmarks/plain_round.py train 2013-12-16 FOLDER    # read, check, features, fit, backtest, forecast
    python benchmarks/plain_round.py daily 2013-12-04 FOLDER    # read, check, forecast with the stored model, score

Both write what they have made. `round.py` measures the product beside them. The forest is that of the product: as many
trees, of as many rows and about as many features, with the same parameters; quantiles are those of one training target
of each leaf, as in R's quantregForest. The backtest has the same windows.
"""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar
from sklearn.ensemble import RandomForestRegressor

SOURCE = Path(__file__).resolve().parents[1] / "mlops_assets" / "forecasts" / "nyc_departures.csv"
WEATHER = ["temperature", "wind_speed", "precipitation", "visibility"]
HORIZON, ROWS, WINDOWS, QUANTILES = 14, 22_906, 3, [0.1, 0.5, 0.9]


def read(until: pd.Timestamp) -> pd.DataFrame:
    """Read what was known on a day, and refuse what is wrong."""
    data = pd.read_csv(SOURCE, parse_dates=["date"])
    data = data[data["date"] <= until]
    assert data["date"].max() == until, f"nothing of {until}"
    assert not data.duplicated(["origin", "carrier", "date"]).any(), "doubled rows"
    assert data["departures"].ge(0).all(), "missing or negative departures"
    assert data[WEATHER].notna().all(axis=None), "missing weather"
    return data.assign(item=data["origin"] + "/" + data["carrier"])


def features(data: pd.DataFrame, origins: pd.DatetimeIndex, leads: np.ndarray) -> pd.DataFrame:
    """Make a row for each item, origin and lead; the target is NaN where it has not come.

    Args:
        data: of `read`.
        origins: the last days known.
        leads: days ahead of each origin, shape (origins, leads).
    """
    wide = data.pivot(index="date", columns="item", values="departures").asfreq("D")
    level, spread = wide.rolling(28, 1).mean(), wide.diff(7).abs().rolling(56, 1).mean().clip(lower=1)
    known = {f"lag_{lag}": (wide.shift(lag) - level) / spread for lag in range(7)}
    known |= {f"mean_{days}": (wide.rolling(days, 1).mean() - level) / spread for days in (3, 7, 14, 56)}
    known |= {f"deviation_{days}": wide.rolling(days, 2).std() / spread for days in (7, 28, 56)}
    known |= {
        "change": wide.diff(7) / spread,
        "level": level,
        "spread": spread,
        "present": wide.notna().rolling(56).mean(),
    }
    ahead = wide.reindex(pd.date_range(wide.index[0], wide.index[-1] + pd.Timedelta(days=HORIZON)))
    weather = data.groupby("date")[WEATHER].mean()
    holidays = USFederalHolidayCalendar().holidays(wide.index[0], wide.index[-1] + pd.Timedelta(days=60))
    parts = []
    for number in range(leads.shape[1]):
        lead = leads[:, number]
        days = origins + pd.to_timedelta(lead, "D")
        weeks = {f"slot_{back}": days - pd.to_timedelta(7 * (back + (lead - 1) // 7), "D") for back in range(1, 9)}
        rows = {name: values.reindex(origins).to_numpy().ravel() for name, values in known.items()}
        of_level, of_spread = rows["level"], rows["spread"]
        for name, slot in weeks.items():
            rows[name] = (ahead.reindex(slot).to_numpy().ravel() - of_level) / of_spread
        rows["target"] = ahead.reindex(days).to_numpy().ravel()
        after = holidays.searchsorted(days)
        by_day = {
            "origin": origins,
            "lead": lead,
            "timestamp": days,
            "weekday": days.weekday,
            "day": days.day,
            "is_holiday": days.isin(holidays).astype(int),
            "to_holiday": (holidays[after] - days).days,
            "since_holiday": (days - holidays[np.maximum(after - 1, 0)]).days,
            **{name: weather[name].reindex(origins).to_numpy() for name in WEATHER},
        }
        rows |= {name: np.repeat(np.asarray(values), wide.shape[1]) for name, values in by_day.items()}
        parts.append(pd.DataFrame(rows).assign(item=np.tile(wide.columns, len(origins))))
    table = pd.concat(parts, ignore_index=True)
    for name in ("airport", "carrier"):
        codes = table["item"].str.split("/").str[name == "carrier"]
        table[name] = pd.factorize(codes, sort=True)[0]
    table["y"] = (table["target"] - table["level"]) / table["spread"]
    return table[table["level"].notna()]


def fit(data: pd.DataFrame) -> dict:
    """Fit the forest on a sample of all origins, and keep a target of each leaf."""
    origins = pd.date_range(data["date"].min() + pd.Timedelta(days=5), data["date"].max() - pd.Timedelta(days=1))
    random = np.random.default_rng(0)
    rows = features(data, origins, random.integers(1, HORIZON + 1, (len(origins), 3))).dropna(subset="y")
    rows = rows.sample(min(ROWS, len(rows)), random_state=0)
    names = [name for name in rows if name not in {"item", "origin", "timestamp", "target", "y"}]
    forest = RandomForestRegressor(40, min_samples_leaf=3, max_features=0.2, max_samples=0.2, n_jobs=-1, random_state=0)
    inputs, y = rows[names].fillna(-1e6).to_numpy(np.float32), rows["y"].to_numpy()
    forest.fit(inputs, y)
    kept = np.zeros((len(forest.estimators_), max(tree.tree_.node_count for tree in forest.estimators_)))
    for tree, leaves in enumerate(forest.apply(inputs).T):
        kept[tree, leaves] = y
    return {"forest": forest, "kept": kept, "names": names}


def predict(model: dict, data: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """Forecast every lead of each item from an origin."""
    rows = features(data, pd.DatetimeIndex([origin]), np.arange(1, HORIZON + 1)[None])
    leaves = model["forest"].apply(rows[model["names"]].fillna(-1e6).to_numpy(np.float32))
    outcomes = np.quantile(model["kept"][np.arange(leaves.shape[1]), leaves], QUANTILES, axis=1).T
    made = outcomes * rows["spread"].to_numpy()[:, None] + rows["level"].to_numpy()[:, None]
    answer = rows[["item", "origin", "timestamp", "lead"]].reset_index(drop=True)
    return answer.assign(**{f"q{level}": made[:, number].clip(0) for number, level in enumerate(QUANTILES)})


def score(forecasts: pd.DataFrame, data: pd.DataFrame) -> pd.DataFrame:
    """Score forecasts whose day has come: pinball loss, coverage, and the error beside seasonal naive's."""
    actuals = data.rename(columns={"date": "timestamp", "departures": "actual"})[["item", "timestamp", "actual"]]
    rows = forecasts.merge(actuals, on=["item", "timestamp"])
    scale = data.sort_values("date").groupby("item")["departures"].apply(lambda one: one.diff(7).abs().mean() or np.nan)
    errors = {level: rows["actual"] - rows[f"q{level}"] for level in QUANTILES}
    rows["wql"] = sum(2 * np.maximum(level * error, (level - 1) * error) for level, error in errors.items())
    rows["covered"] = rows["actual"].between(rows["q0.1"], rows["q0.9"])
    rows["scaled_error"] = errors[0.5].abs() / rows["item"].map(scale)
    return rows.groupby(["timestamp", "lead"], as_index=False)[["wql", "actual", "covered", "scaled_error"]].mean()


def train(day: pd.Timestamp, folder: Path) -> None:
    """The whole training round: fit, backtest, forecast, write."""
    data = read(day)
    for name in ("observations", "forecasts", "scores"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for date, rows in data.groupby("date"):
        rows.to_parquet(folder / "observations" / f"{date:%Y-%m-%d}.parquet")
    model = fit(data)
    joblib.dump(model, folder / "model.joblib")
    windows = []
    for window in range(WINDOWS):
        origin = day - pd.Timedelta(days=HORIZON * (window + 1))
        seen = data[data["date"] <= origin]
        windows.append(score(predict(fit(seen), seen, origin), data).assign(window=window))
    pd.concat(windows).to_parquet(folder / "backtest.parquet")
    predict(model, data, day).to_parquet(folder / "forecasts" / f"{day:%Y-%m-%d}.parquet")


def daily(day: pd.Timestamp, folder: Path) -> None:
    """A day: forecast with the stored model, write, score earlier forecasts of the day."""
    data = read(day)
    data[data["date"] == day].to_parquet(folder / "observations" / f"{day:%Y-%m-%d}.parquet")
    name = f"{day:%Y-%m-%d}.parquet"
    earlier = [pd.read_parquet(path) for path in sorted((folder / "forecasts").glob("*.parquet"))[-HORIZON:]]
    predict(joblib.load(folder / "model.joblib"), data, day).to_parquet(folder / "forecasts" / name)
    score(pd.concat(earlier), data[data["date"] <= day]).query("timestamp == @day").to_parquet(folder / "scores" / name)


if __name__ == "__main__":
    {"train": train, "daily": daily}[sys.argv[1]](pd.Timestamp(sys.argv[2]), Path(sys.argv[3]))
