"""Write the fixture of release 0.2.0 with that release's own code: see README.md beside it.

    python make.py    # in a checkout of that release
"""

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path

import pandas as pd

from mlops_assets.forecasting.model import features, fitting, kinds, model_file
from mlops_assets.forecasting.model.forecaster import STATE_RELEASE
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets.stages.register import fingerprint
from mlops_assets.stages.train import data_hash
from mlops_assets.tracking.model_code import own_code
from mlops_assets_tests.releases.unpacked import unpack

HERE = Path(__file__).parent
ORIGIN = pd.Timestamp("2024-04-20")
KINDS = {"forest": None, "ridge": ModelSettings("sklearn.linear_model.Ridge"), "naive": ModelSettings("seasonal_naive")}


def main() -> None:
    """Train on what release 0.1.0 has stored of its shops, and forecast from the same day."""
    with tempfile.TemporaryDirectory() as folder:
        deployment = unpack("0.1.0", "files", Path(folder))
        with deployment.opened() as stores:
            history = stores.tables.read(["shops", "observations"])
            future = stores.tables.read(["shops", "future_covariates"], partitions=[f"{ORIGIN:%Y-%m-%d}"])
        spec, until = deployment.spec, ORIGIN + pd.Timedelta(hours=23)
        rows = features.training_rows(history, spec.task, until=until)
        frames = []
        for name, settings in KINDS.items():
            task = spec.task if settings is None else dataclasses.replace(spec.task, model=settings)
            model = kinds.fit(kinds.rows(history, task, until), task) if settings else fitting.fit(rows, task)
            model_file.save(kinds.state_of(model), HERE / f"{name}.skops")
            made = model.predict(history, ORIGIN, future=future[["item_id", "timestamp", "promotion"]])
            frames.append(made.assign(model=name))
    pd.concat(frames, ignore_index=True).to_parquet(HERE / "expected.parquet", index=False)
    model_file.save(dict(own_code().files), HERE / "code.skops")
    known = {"data_version": data_hash(rows), "fingerprint": fingerprint(spec.fingerprint(), data_hash(rows))}
    (HERE / "training.json").write_text(json.dumps({"release": STATE_RELEASE, **known}, indent=1) + "\n")
    written = sorted({"make.py", "README.md", "expected.parquet", "training.json", *(f.name for f in HERE.glob("*.skops"))})
    sums = [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in written]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
