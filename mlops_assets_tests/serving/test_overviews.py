"""How forecasts are, as the explorer begins with it."""

from pathlib import Path

from mlops_assets_tests.serving.conftest import ODD


def test_all_forecasts_are_listed_the_broken_ones_too(client, stored, monkeypatch):
    monkeypatch.setattr("mlops_assets.serving.stores.LOOK_SECONDS", 0.0)
    broken = Path(stored.spec.file).parent / "broken.yaml"
    broken.write_text("name: broken\nfrequency: often\n")
    client.app.state.served.declared_until = 0.0
    try:
        rows = {row["name"]: row for row in client.get("/v1/forecasts").json()["rows"]}
        assert rows["broken"]["state"] == "broken"
        assert "frequency" in rows["broken"]["problems"][0]
        assert rows["demo"]["items"] == len(ODD)
        assert rows["demo"]["latest_origin"] == f"{stored.days[-1]:%Y-%m-%d}"
        assert rows["demo"]["state"] in ("ok", "attention")
        answer = client.get("/v1/forecasts/broken/items")
        assert answer.status_code == 422
        assert "frequency" in answer.json()["error"]
    finally:
        broken.unlink()
        client.app.state.served.declared_until = 0.0
    assert client.get("/v1/forecasts?format=columns").json()["columns"]["name"] == ["demo"]


def test_a_spec_that_is_gone_when_it_is_looked_at_does_not_hide_the_others(client, stored, monkeypatch):
    monkeypatch.setattr("mlops_assets.serving.stores.LOOK_SECONDS", 0.0)
    client.app.state.served.declared_until = 0.0
    gone = Path(stored.spec.file).parent / "gone.yaml"
    gone.symlink_to("nowhere.yaml")
    try:
        assert "demo" in client.get("/v1/forecasts?format=columns").json()["columns"]["name"]
    finally:
        gone.unlink()


def test_a_forecast_tells_what_its_page_begins_with(client, clients, ask):
    state = ask("/state")
    assert (state["name"], state["horizon"], state["adjustable"]) == ("demo", 7, False)
    assert clients(MLOPS_API_WRITE_TOKEN="anna:secret-of-anna").get("/v1/forecasts/demo/state").json()["adjustable"]
    assert ask("/overview")["sections"]
    assert ask("/quality")["forecast"] == "demo"


def test_what_is_told_is_asked_once_while_nothing_changes(client, monkeypatch):
    client.get("/v1/forecasts/demo/state")
    monkeypatch.setattr("mlops_assets.report.state.overview", lambda *_: 1 / 0)
    assert client.get("/v1/forecasts/demo/state").status_code == 200
