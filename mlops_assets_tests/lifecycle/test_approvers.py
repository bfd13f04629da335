"""Who may decide: keys and signatures hold for whose they are, for what they were made for, and show nothing."""

import hashlib
import traceback
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mlops_assets.lifecycle.approvers import VALID_SECONDS, Approvers, Person, Request, UnprovenError, sign
from mlops_assets.resources.secrets import scrub
from mlops_assets.settings import Settings, SettingsError

ANNA, BEN = SecretStr("a-key-of-anna-1234"), SecretStr("a-key-of-ben-56789")
LIST = f"anna:{ANNA.get_secret_value()},ben:{BEN.get_secret_value()}"
ASKED = Request("shop", 3, "approve", "anna", "seen the page")
NOW = 1_800_000_000.0


def approvers(text: str = LIST) -> Approvers:
    return Approvers.of(Settings.read({"MLOPS_APPROVERS": text}))


def test_without_approvers_everybody_decides_under_the_name_they_give():
    nobody = Approvers.of(Settings.read({}))
    assert not nobody.needed
    assert nobody.by_key("Ann", None) == Person("Ann")
    assert nobody.by_key(None, None).name
    assert nobody.by_signature(ASKED, "", NOW) == Person("anna")


def test_a_key_proves_whose_it_is_and_nobody_elses():
    assert approvers().by_key("anna", ANNA) == approvers().by_key(None, ANNA) == Person("anna", "command")
    hashed = approvers(f"anna:sha256:{hashlib.sha256(ANNA.get_secret_value().encode()).hexdigest()}")
    assert hashed.by_key("anna", ANNA) == Person("anna", "command")
    with pytest.raises(UnprovenError, match="put your key into MLOPS_KEY"):
        approvers().by_key("anna", None)


def test_the_message_does_not_say_which_part_is_wrong():
    said = set()
    for name, key in (("anna", BEN), ("anna", SecretStr("nobody's")), ("anna", SecretStr(""))):
        with pytest.raises(UnprovenError) as error:
            approvers().by_key(name, key)
        said.add(error.value.message)
    for wrong in (sign(ASKED, BEN, NOW), sign(ASKED, ANNA, NOW - VALID_SECONDS - 1), "", "1.2.3"):
        with pytest.raises(UnprovenError) as error:
            approvers().by_signature(ASKED, wrong, NOW)
        said.add(error.value.message)
    assert len(said) == 2
    with pytest.raises(UnprovenError, match="none of carl who may decide"):
        approvers().by_key("carl", ANNA)


def test_a_signature_holds_for_a_day_from_when_it_was_made():
    signature = sign(ASKED, ANNA, NOW)
    person = approvers().by_signature(ASKED, f" {signature}\n", NOW + VALID_SECONDS - 1)
    assert (person.name, person.proof) == ("anna", f"signature {signature.split('.')[2]}")
    assert sign(ASKED, ANNA, NOW) != signature
    for other in (NOW + VALID_SECONDS + 1, NOW - 301):
        with pytest.raises(UnprovenError):
            approvers().by_signature(ASKED, signature, other)


CHANGES = st.sampled_from(
    [("forecast", "shop2"), ("version", 4), ("decision", "reject"), ("by", "ben"), ("reason", "x")]
)


@given(CHANGES)
def test_a_signature_is_for_one_decision_alone(change):
    with pytest.raises(UnprovenError):
        approvers().by_signature(replace(ASKED, **dict([change])), sign(ASKED, ANNA, NOW), NOW)


def test_a_signature_of_staging_decides_nothing_in_production():
    """The same number may wait in both, under the same keys: whoever sees the tag there could set it here."""
    here = Approvers(approvers()._keys, "production")
    with pytest.raises(UnprovenError, match="over just this decision in production"):
        here.by_signature(ASKED, sign(ASKED, ANNA, NOW, "staging"), NOW)
    assert here.by_signature(ASKED, sign(ASKED, ANNA, NOW, "production"), NOW).name == "anna"


def test_who_is_no_approver_any_more_decides_nothing_with_a_signature_that_was_right():
    signature = sign(ASKED, ANNA, NOW)
    assert approvers().by_signature(ASKED, signature, NOW).name == "anna"
    with pytest.raises(UnprovenError):
        approvers(f"ben:{BEN.get_secret_value()}").by_signature(ASKED, signature, NOW)


@given(st.integers(0, 95), st.sampled_from("0123456789abcdef."))
def test_no_character_of_a_signature_can_be_another(place, other):
    signature = sign(ASKED, ANNA, NOW)
    place %= len(signature)
    if signature[place] == other:
        return
    with pytest.raises(UnprovenError):
        approvers().by_signature(ASKED, signature[:place] + other + signature[place + 1 :], NOW)


def test_of_a_hash_a_signature_cannot_be_known_to_be_right():
    digest = hashlib.sha256(ANNA.get_secret_value().encode()).hexdigest()
    for key in (ANNA, SecretStr(digest)):
        with pytest.raises(UnprovenError):
            approvers(f"anna:sha256:{digest}").by_signature(ASKED, sign(ASKED, key, NOW), NOW)


@pytest.mark.parametrize("text", ["a-key-without-a-name", "anna:short", "anna:", ",", f"{LIST},anna:another-key-12345"])
def test_a_list_that_cannot_be_is_refused_without_being_shown(text):
    with pytest.raises(SettingsError) as error:
        approvers(text)
    assert "MLOPS_APPROVERS" in error.value.message
    assert not any(secret in error.value.message for secret in ("short", "a-key"))


def test_keys_are_shown_nowhere(monkeypatch):
    monkeypatch.setenv("MLOPS_APPROVERS", LIST)
    monkeypatch.setenv("MLOPS_KEY", ANNA.get_secret_value())
    settings, people = Settings.read(), approvers()
    with pytest.raises(UnprovenError) as error:
        people.by_key("ben", settings.key)
    told = f"{settings!r}{vars(people)}{''.join(traceback.format_exception(error.value))}{sign(ASKED, ANNA, NOW)}"
    for secret in (ANNA, BEN):
        assert secret.get_secret_value() not in told
        assert scrub(f"of {secret.get_secret_value()}") == "of ***"
