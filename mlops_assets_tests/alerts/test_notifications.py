"""Alerts over a real mail server and a real web hook."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib import import_module
from threading import Barrier, Thread

import pytest

from mlops_assets.alerts import notifications
from mlops_assets.alerts.messages import FailedRun, run_failure
from mlops_assets.alerts.notifications import ATTEMPTS, Alert, NotificationError, Notifications
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets_tests.channels import SECRET

ALERT = Alert("futility", "demo", "v3 since 2024-05-01", "3 challengers were refused", "table demo/decisions", "look")


def minutes(number: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(minutes=number)


def rows(tables: MemoryTables) -> list[tuple[int, str]]:
    table = tables.read(["demo", "alerts"]).sort_values("attempt")
    return list(zip(table["attempt"], table["outcome"], strict=True))


def test_without_a_channel_the_log_has_it_once(caplog):
    tables, silent = MemoryTables(), Notifications()
    with caplog.at_level("WARNING"):
        assert silent.send(tables, ALERT)
        assert not silent.send(tables, ALERT)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert "3 challengers were refused\nSee: table demo/decisions\nTo do: look" in lines[0]
    assert rows(tables) == [(1, "delivered")]


def test_alerts_of_one_kind_are_read_also_where_there_are_only_others():
    tables = MemoryTables()
    Notifications().send(tables, ALERT)
    assert notifications.told(tables, "demo", "run_failed").empty
    assert list(notifications.told(tables, "demo", "futility")["key"]) == [ALERT.key]


def test_a_web_hook_is_told_once_for_each_event(hook):
    tables, channel = MemoryTables(), Notifications(channel=hook.url)
    assert channel.send(tables, ALERT)
    assert not channel.send(tables, ALERT)
    assert channel.send(tables, Alert("refused", "demo", "7", "version 7 was refused"))
    assert [body["title"] for body in hook.bodies] == ["demo: futility", "demo: refused"]
    assert "To do: look" in hook.bodies[0]["message"]


def test_a_mail_server_gets_a_mail(inbox):
    channel = Notifications(channel=inbox.url)
    assert channel.ping() == f"mailto: 127.0.0.1:{inbox.port} answers"
    assert channel.send(MemoryTables(), ALERT)
    ((to, subject, text),) = inbox.texts()
    assert "person@example.org" in to
    assert subject == "demo: futility"
    assert text.splitlines() == ["3 challengers were refused", "See: table demo/decisions", "To do: look"]


def test_eight_that_find_the_same_event_tell_it_once(hook):
    tables, channel, start = MemoryTables(), Notifications(channel=hook.url), Barrier(8)
    told: list[bool] = []

    def find() -> None:
        start.wait()
        told.append(channel.send(tables, ALERT))

    threads = [Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(told) == 1
    assert len(hook.bodies) == 1


def test_a_channel_that_is_down_is_tried_again_later_and_no_more_once_it_has_answered(hook):
    tables, channel = MemoryTables(), Notifications(channel=hook.url)
    hook.status = 503
    assert not channel.send(tables, ALERT)
    assert channel.resend(tables, "demo")[0] == 0, "not at once"
    assert rows(tables) == [(1, "failed")]
    hook.status = 200
    assert channel.resend(tables, "demo", now=minutes(1.1))[0] == 1
    assert channel.resend(tables, "demo", now=minutes(999))[0] == 0
    assert rows(tables) == [(1, "failed"), (2, "delivered")]
    assert len(hook.bodies) == 1


def test_after_years_of_alerts_a_look_reads_none_that_are_settled(monkeypatch):
    tables, silent = MemoryTables(), Notifications()
    for day in range(3):
        assert silent.send(tables, Alert("stale data", "demo", f"observations {day} empty", "no row"))
    assert silent.resend(tables, "demo") == (0, 3)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryTables, "read", None)
        assert not silent.send(tables, Alert("stale data", "demo", "observations 1 empty", "no row"))
        assert silent.send(tables, Alert("stale data", "demo", "observations 1", "was to be there"))
        assert silent.resend(tables, "demo", settled=4) == (0, 4)
    assert silent.resend(tables, "demo", settled=3) == (0, 4)


def test_of_two_channels_only_the_one_that_was_down_is_told_again(hook, inbox):
    tables = MemoryTables()
    channel = Notifications(channel=f"{hook.url}, {inbox.url}, {hook.url}/second")
    hook.status = 503
    assert channel.send(tables, ALERT)
    assert len(inbox.mails) == 1
    hook.status = 200
    assert channel.resend(tables, "demo", now=minutes(1.1))[0] == 2
    assert not channel.send(tables, ALERT)
    assert (len(hook.bodies), len(inbox.mails)) == (2, 1)
    table = tables.read(["demo", "alerts"]).sort_values(["channel", "attempt"])
    assert list(zip(table["channel"], table["attempt"], table["outcome"], strict=True)) == [
        ("json", 1, "failed"),
        ("json", 2, "delivered"),
        ("json 2", 1, "failed"),
        ("json 2", 2, "delivered"),
        ("mailto", 1, "delivered"),
    ]


def test_what_was_told_before_a_channel_was_added_is_not_told_there(hook, inbox):
    tables = MemoryTables()
    assert Notifications(channel=hook.url).send(tables, ALERT)
    both = Notifications(channel=f"{hook.url}, {inbox.url}")
    assert not both.send(tables, ALERT)
    assert both.resend(tables, "demo", now=minutes(999)) == (0, 1)
    assert (len(hook.bodies), len(inbox.mails)) == (1, 0)


def test_channels_that_stay_down_leave_it_to_the_log_and_show_no_secret(hook, caplog):
    mail = f"mailto://mlops:{SECRET}@127.0.0.1:1?from=mlops@example.org&to=person@example.org"
    tables, channel = MemoryTables(), Notifications(channel=f"{hook.url}?+X-Token={SECRET}, {mail}")
    hook.status = 503
    with caplog.at_level("DEBUG"):
        channel.send(tables, ALERT)
        for _ in range(ATTEMPTS + 2):
            channel.resend(tables, "demo", now=minutes(999))
    assert rows(tables) == [(number, "failed") for number in range(1, ATTEMPTS + 1) for _ in range(2)]
    assert caplog.text.count("it stays in the log only") == 2
    assert SECRET not in caplog.text + repr(channel) + tables.read(["demo", "alerts"]).to_csv()


def test_an_attempt_whose_process_died_is_made_again_on_all_channels(hook, inbox, monkeypatch):
    tables, channel = MemoryTables(), Notifications(channel=f"{hook.url}, {inbox.url}")

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(notifications.Notifications, "_deliver", die)
        with pytest.raises(KeyboardInterrupt):
            channel.send(tables, ALERT)
    assert rows(tables) == [(1, "sending"), (1, "sending")]
    assert channel.resend(tables, "demo", now=minutes(5))[0] == 0, "it may still be under way"
    assert channel.resend(tables, "demo", now=minutes(11))[0] == 2
    assert (len(hook.bodies), len(inbox.mails)) == (1, 1)


def test_without_a_channel_the_log_gets_what_a_dead_process_was_to_write(caplog):
    tables, silent = MemoryTables(), Notifications()
    assert silent._claim(tables, ALERT, "log", 1)
    with caplog.at_level("WARNING"):
        assert silent.resend(tables, "demo", now=minutes(11))[0] == 1
    assert "3 challengers were refused" in caplog.text


def test_ping_sends_nothing_and_says_what_is_wrong(hook):
    assert "MLOPS_NOTIFY" in Notifications().ping()
    assert Notifications(channel=hook.url).ping() == f"json: 127.0.0.1:{hook.port} answers"
    assert Notifications(channel="slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ").ping().startswith("slack: ")
    for wrong in ("nonsense", f"jsonn://u:{SECRET}@host", f"json://127.0.0.1:1/{SECRET}"):
        with pytest.raises(NotificationError) as caught:
            Notifications(channel=wrong).ping()
        assert "MLOPS_NOTIFY" in str(caught.value)
        assert SECRET not in str(caught.value)
    assert hook.bodies == []


def test_a_wrong_address_is_logged_and_does_not_end_the_run(caplog):
    tables = MemoryTables()
    with caplog.at_level("ERROR"):
        assert not Notifications(channel=f"jsonn://u:{SECRET}@host").send(tables, ALERT)
    assert "not an address that apprise understands" in caplog.text
    assert SECRET not in caplog.text


def test_an_error_that_says_what_to_run_is_what_to_do():
    steps = {"forecasts": "demo: rows of another spec (try: mlops-assets reingest demo)"}
    alert = run_failure("demo", FailedRun("ab", "demo_daily", "2024-05-16", steps=steps), Notifications())
    assert alert.to_do.startswith("Run mlops-assets reingest demo. When its cause is gone, re-execute")
    plain = run_failure("demo", FailedRun("ab", "demo_daily", message="killed"), Notifications())
    assert plain.to_do.startswith("Read the error of the step in the run's log. When")


def test_where_history_was_to_be_ingested_only_that_is_advised():
    history = FailedRun("ab", "demo_daily", "2024-03-01...2024-03-30", message="killed", ingests=True)
    told = run_failure("demo", history, Notifications())
    assert "or run mlops-assets ingest demo --partition 2024-03-01...2024-03-30. The" in told.to_do
    whole = run_failure("demo", replace(history, ingests=False), Notifications())
    assert "or run mlops-assets run demo --partition 2024-03-01...2024-03-30. The" in whole.to_do


@pytest.mark.parametrize(
    ("run", "command"),
    [
        (FailedRun("ab", "demo_rescore", "2024-03-01...2024-03-03"), "ingest demo --partition 2024-03-01...2024-03-03"),
        (FailedRun("ab", "demo_rescore", "2024-03-01"), "ingest demo --partition 2024-03-01"),
        (
            FailedRun("ab", "demo_daily", "2024-03-01", command="reingest demo --allow-shrink"),
            "reingest demo --allow-shrink",
        ),
        (FailedRun("ab", "demo_retrain"), "run demo --retrain"),
    ],
)
def test_the_command_that_does_again_what_has_failed(run, command):
    assert f"or run mlops-assets {command}. The" in run_failure("demo", run, Notifications()).to_do


@pytest.mark.parametrize("channel", ["python:pager", "acme.alerts:page", "python:acme.alerts.page"])
def test_a_function_is_told_as_a_service_is(acme, channel, caplog):
    tables, pager = MemoryTables(), Notifications(channel=channel)
    assert pager.ping().endswith(": the function is there")
    assert pager.send(tables, ALERT)
    assert not pager.send(tables, ALERT)
    told = [record.getMessage() for record in caplog.records if record.name == "pager"]
    assert told == ["demo: futility: 3 challengers were refused"]
    assert rows(tables) == [(1, "delivered")]


def test_a_function_that_fails_beside_a_web_hook_is_tried_again(acme, hook, monkeypatch, caplog):
    told = []

    def page(alert):
        told.append(alert)
        if len(told) == 1:
            raise ValueError("password=hush is wrong")

    monkeypatch.setattr(import_module("acme.alerts"), "page", page)
    tables, both = MemoryTables(), Notifications(channel=f"{hook.url}, acme.alerts:page")
    assert both.send(tables, ALERT)
    assert len(hook.bodies) == 1
    assert "acme.alerts:page could not be told: ValueError: password=*** is wrong" in caplog.text
    assert both.resend(tables, "demo", now=minutes(2))[0] == 1
    assert len(hook.bodies) == 1
    assert told[1] == ALERT


@pytest.mark.parametrize("channel", ["python:pagr", "acme.alerts:pge", "json:__version__"])
def test_a_function_that_is_not_there_is_told_by_check(acme, channel):
    with pytest.raises(NotificationError, match=r"pager|page|is no function"):
        Notifications(channel=channel).ping()
