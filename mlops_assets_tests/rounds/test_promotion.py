"""A version taken over from one environment into another: what 0.1.0 left behind gives the one, its rows the other."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.environments import open_stores
from mlops_assets.errors import DataError, UsageError
from mlops_assets.lifecycle.approvers import UnprovenError
from mlops_assets.lifecycle.decisions import DecisionError
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.rounds import promotion
from mlops_assets.rounds.env_files import NamedEnvironment
from mlops_assets.rounds.promotion import Promoted, fetch, receive
from mlops_assets.settings import Settings
from mlops_assets.tracking import parcel
from mlops_assets.tracking.registry import Registry
from mlops_assets_tests.releases.unpacked import unpack

NOW, LATER = "2024-04-12T07:00:00", "2024-04-21T07:00:00"
"""On the first the version is new; until the other one, what sells has changed, as two later versions have learnt."""
SECRET = "hunter2-in-staging"
WHO = ("--by", "Ann", "--reason", "a quiet month")


@pytest.fixture(scope="module")
def staging(tmp_path_factory) -> dict[str, str]:
    """The environment variables of a deployment with three versions; the first is champion, the third rolled back."""
    made = unpack("0.1.0", "files", tmp_path_factory.mktemp("staging"))
    return {**made.variables, "MLOPS_NOW": NOW, "MLOPS_API_TOKEN": SECRET}


@pytest.fixture(scope="module")
def sent(staging, tmp_path_factory) -> promotion.Sent:
    """The first version, on its way."""
    return fetch(environment("staging", staging), "shops", 1, tmp_path_factory.mktemp("sent") / "parcel")


@pytest.fixture
def production(staging, tmp_path, empty_mlflow) -> dict[str, str]:
    """The variables of an environment that has the same observations, and nothing else."""
    theirs, ours = Path(staging["MLOPS_DATA"]), tmp_path / "production"
    shutil.copytree(theirs / "tables" / "shops" / "observations", ours / "tables" / "shops" / "observations")
    (ours / "mlflow").mkdir()
    shutil.copy(empty_mlflow, ours / "mlflow" / "mlflow.db")
    shutil.copytree(staging["MLOPS_FORECASTS"], tmp_path / "forecasts")
    own = {"MLOPS_DATA": str(ours), "MLOPS_FORECASTS": str(tmp_path / "forecasts"), "DAGSTER_HOME": str(ours / "dag")}
    return {**staging, **own, "MLOPS_API_TOKEN": "production's"}


def environment(name: str, variables: dict[str, str]) -> NamedEnvironment:
    others = {key: value for key, value in os.environ.items() if not key.startswith(("MLOPS_", "MLFLOW_"))}
    return NamedEnvironment(name, {**others, **variables})


def take(variables: dict[str, str], sent: promotion.Sent, **changes: object) -> Promoted:
    """Take the version over, into the environment of these variables; further fields replace those of the spec."""
    file = Path(variables["MLOPS_FORECASTS"]) / "shops.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))
    with environment("production", variables).entered():
        settings = Settings.read()
        spec = promotion.find_spec(settings.forecasts, "shops")
        return receive(spec, settings, sent, "staging", "Ann", "a quiet month")


def life_in(variables: dict[str, str]) -> Lifecycle:
    with open_stores(Settings.read(variables)) as stores:
        return Lifecycle.of(stores, "shops")


def test_the_version_its_evidence_and_one_row_are_there_and_it_forecasts(production, sent, staging):
    made = take(production, sent)
    assert (made.taken, made.number, made.decision.outcome) == (1, 2, "promoted")
    life = life_in(production)
    version, log = life.champion(), life.log.all()
    assert version.tags["sha256"] == sent.parcel.sha256
    assert (version.tags["data_version"], version.tags["fingerprint"]) == (
        sent.parcel.version.tags["data_version"],
        sent.parcel.version.tags["fingerprint"],
    )
    registered = life.registry.version(version.number)
    assert (registered.tags["promoted_from"], registered.tags["promoted_version"]) == ("staging", "1")
    row = log.iloc[0]
    assert (row["kind"], row["outcome"], row["decided_by"], row["trigger"], row["evidence"]) == (
        *("takeover", "taken over", "Ann", "staging"),
        sent.parcel.sha256,
    )
    assert row["reason"] == f"a quiet month (version 1 of staging, sha256 {sent.parcel.sha256})"
    assert json.loads(row["rules"])["verdict"]
    theirs = life_in(staging)
    assert life.registry.metrics(registered) == theirs.registry.metrics(theirs.registry.version(1))
    folder = next((Path(production["MLOPS_DATA"]) / "mlflow" / "artifacts" / "shops").glob("*/artifacts/promotion"))
    assert json.loads((folder / "decisions.json").read_text())[0]["outcome"] == "promoted"
    assert len(list((folder.parent / "backtest").iterdir())) == len(list((sent.parcel.evidence / "backtest").iterdir()))
    assert all(SECRET.encode() not in file.read_bytes() for file in Path(production["MLOPS_DATA"]).rglob("*.*"))
    assert life.versions.forecaster(version).task.horizon == theirs.versions.forecaster(version).task.horizon


def test_twice_is_the_same_version_and_no_second_row(production, sent):
    first = take(production, sent)
    again = take(production, sent)
    assert again == first
    life = life_in(production)
    assert len(life.registry.versions()) == 1
    assert len(life.log.all()) == 2


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (parcel, "_address"),
        (Registry, "register"),
        (Lifecycle, "take_over"),
        (Lifecycle, "decide"),
    ],
)
def test_killed_in_the_middle_the_same_command_completes_it(production, sent, monkeypatch, owner, step):
    done = getattr(owner, step)

    def killed(*arguments: object, **named: object) -> object:
        if step in ("register", "take_over", "decide"):
            done(*arguments, **named)  # after it, before what follows
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            take(production, sent)
    made = take(production, sent)
    life = life_in(production)
    assert (made.decision.outcome, [one.number for one in life.registry.versions()]) == ("promoted", [1])
    assert life.log.all()["kind"].tolist() == ["takeover", "gate"]
    with open_stores(Settings.read(production)) as stores:
        client, experiment = stores.tracking.experiment("shops")
        states = [run.info.status for run in client.search_runs([experiment])]
        assert stores.tables.read(["shops", "champion"])["champion_version"].tolist() == [1]
    assert "RUNNING" not in states
    assert states.count("FINISHED") == 1


def test_two_machines_at_once_make_one_version_and_judge_it_once(production, sent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = Path(production["MLOPS_DATA"])
    one = {
        **production,
        "MLOPS_TABLES": "object_storage",
        "MLOPS_MODELS": "object_storage",
        "MLOPS_OBJECT_STORAGE": str(data / "tables"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{data / 'mlflow' / 'mlflow.db'}",
    }
    other = {**one, "MLOPS_DATA": str(tmp_path / "another machine")}
    spec, made, said, begun = promotion.find_spec(Path(one["MLOPS_FORECASTS"]), "shops"), [], [], []

    def take_there() -> None:
        made.append(receive(spec, Settings.read(other), sent, "staging", "Ben", "at once", said.append))

    address = parcel._address

    def with_another(*arguments: object) -> None:
        if not begun:  # in the midst of the first one's registration
            begun.append(threading.Thread(target=take_there))
            begun[0].start()
            begun[0].join(5)
        address(*arguments)

    monkeypatch.setattr(parcel, "_address", with_another)
    made.append(receive(spec, Settings.read(one), sent, "staging", "Ann", "a quiet month"))
    begun[0].join()
    assert made[0] == made[1]
    life = life_in(one)
    assert [version.number for version in life.registry.versions()] == [1]
    assert life.log.all()["kind"].tolist() == ["takeover", "gate"]
    assert [step.message.partition(" on ")[0] for step in said] == ["version 1 of staging is being taken over"]
    with open_stores(Settings.read(one)) as stores:
        assert stores.tables.partitions(["shops", "registrations"]) == []


def test_where_keys_are_asked_for_a_key_is_shown(production, sent):
    asked = {**production, "MLOPS_APPROVERS": "Ann:0123456789abcdef"}
    with pytest.raises(UnprovenError, match="MLOPS_KEY"):
        take(asked, sent)
    assert life_in(production).registry.versions() == []
    take({**asked, "MLOPS_KEY": "0123456789abcdef"}, sent)
    assert life_in(production).log.all()["proof"].tolist() == ["command", ""]


def test_where_a_person_decides_it_waits_for_one(production, sent):
    made = take({**production, "MLOPS_APPROVAL": "manual"}, sent)
    assert made.decision.outcome == "awaiting approval"
    life = life_in(production)
    assert life.champion() is None
    life.approve(1, "Ben", "agreed")
    assert life.champion().number == 1


def test_the_gate_judges_the_very_version_on_what_came_after_its_training(production, sent):
    made = take({**production, "MLOPS_NOW": LATER}, sent)
    assert made.decision.outcome == "refused"
    assert "is not below seasonal naive's" in made.decision.reason
    with open_stores(Settings.read(production)) as stores:
        rows = stores.tables.read(["shops", "backtest"])
    model, latest = life_in(production).versions, rows[rows["window"] == rows["window"].max()]
    own = latest[latest["model"] == "challenger"]
    origin = own["origin"].iloc[0]
    assert origin > sent.parcel.version.trained_until
    with open_stores(Settings.read(production)) as stores:
        seen = stores.tables.read(["shops", "observations"])
    made_anew = model.forecaster(sent.parcel.version).predict(seen, origin)
    both = own.merge(made_anew, on=["item_id", "timestamp"])
    assert len(both) == len(own)
    assert both["q50_x"].round(6).tolist() == both["q50_y"].round(6).tolist()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon": 60}, r"horizon \d+, and 60 here"),
        ({"covariates": {}}, "it needs known covariates that are not declared here"),
    ],
)
def test_what_the_model_cannot_do_here_is_named(production, sent, changes, words):
    with pytest.raises(UsageError, match=words):
        take(production, sent, **changes)
    assert life_in(production).log.all().empty


def test_the_same_stores_and_an_unproven_version_and_nothing_to_judge_by_are_refused(
    staging, production, sent, tmp_path
):
    with pytest.raises(UsageError, match="staging and the environment that it is promoted to keep tables and models"):
        take({**staging, "MLOPS_FORECASTS": production["MLOPS_FORECASTS"]}, sent)
    source = environment("staging", staging)
    with pytest.raises(DecisionError, match=r"version 2 of shops has not proven itself in staging: it was refused"):
        fetch(source, "shops", 2, tmp_path / "two")
    with pytest.raises(DecisionError, match=r"version 3 .*: it was rolled back there by Ben"):
        fetch(source, "shops", 3, tmp_path / "three")
    with pytest.raises(DecisionError, match="shops has no version 9 in staging; there are: 1, 2, 3"):
        fetch(source, "shops", 9, tmp_path / "nine")
    shutil.rmtree(Path(production["MLOPS_DATA"]) / "tables")
    with pytest.raises(DataError, match="has no observations in the environment that it is promoted to"):
        take(production, sent)


def test_too_little_history_is_told_before_anything_is_registered(production, sent):
    with environment("production", production).entered(), open_stores(Settings.read(production)) as stores:
        for partition in stores.tables.partitions(["shops", "observations"]):
            if partition < NOW[:8] + "09":
                stores.tables.delete(["shops", "observations"], partition)
    with pytest.raises(
        DataError, match=r"too little history .*: a backtest of \d windows.*ingest shops --partition FIRST\.\.\.LAST"
    ):
        take(production, sent)
    assert (life_in(production).registry.versions(), len(life_in(production).log.all())) == ([], 0)


def test_a_changed_file_is_not_taken_over(staging, tmp_path):
    theirs = tmp_path / "theirs"
    shutil.copytree(staging["MLOPS_DATA"], theirs)
    for file in theirs.rglob("forecaster.skops"):
        file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(Exception, match=r"sha256|checksum"):
        fetch(environment("staging", {**staging, "MLOPS_DATA": str(theirs)}), "shops", 1, tmp_path / "parcel")


def test_an_environment_is_a_file_of_variables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_DATABASE_URL", "postgresql://present/one")
    monkeypatch.setenv("AWS_REGION", "eu")
    (tmp_path / ".env.staging").write_text("export MLOPS_ENV=staging\nMLOPS_DATA='there'\n")
    found = NamedEnvironment.find("staging")
    assert (found.name, found.variables["MLOPS_DATA"], found.variables["AWS_REGION"]) == ("staging", "there", "eu")
    assert "MLOPS_DATABASE_URL" not in found.variables
    assert NamedEnvironment.find("./.env.staging").name == "staging"
    with found.entered():
        assert os.environ["MLOPS_ENV"] == "staging"
    assert "MLOPS_ENV" not in os.environ
    with pytest.raises(UsageError, match=r"no environment .* 'stagin'; did you mean staging\?"):
        NamedEnvironment.find("stagin")
    (tmp_path / ".env.folder").mkdir()
    with pytest.raises(UsageError, match=r"no environment .* 'folder'\. There are: staging$"):
        NamedEnvironment.find("folder")
    with pytest.raises(UsageError, match="there is no file"):
        NamedEnvironment.find("./.env.none")
    (tmp_path / ".env.empty").write_text("A=1\n")
    with pytest.raises(UsageError, match="says nothing of an environment"):
        NamedEnvironment.find("empty")


def test_the_command(staging, production, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keyed = {**production, "MLOPS_APPROVERS": "Ann:0123456789abcdef"}
    for name, variables in {"staging": staging, "production": production, "keyed": keyed}.items():
        lines = [f"{key}={value}" for key, value in variables.items()]
        (tmp_path / f".env.{name}").write_text("\n".join(lines))
    words = ["promote", "shops", "1", "--from", "staging", "--to", "production", *WHO]
    refused = CliRunner().invoke(main, [*words[:6], "keyed", *WHO])
    assert (refused.exit_code, "fetching" in refused.output) == (4, False)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "version 1 of staging is version 1 of production (sha256 " in done.output
    assert "shops: version 1 is champion, nobody was (decision 2)" in done.output
    assert SECRET not in done.output
