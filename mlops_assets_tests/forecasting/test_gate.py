"""The promotion gate: who may become the champion, and why not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.gate import decide, markdown

SCORES = st.none() | st.floats()
FINITE = st.floats(0, 1e9)


@pytest.mark.parametrize(
    ("challenger", "naive", "champion", "tolerance", "outcome", "reason"),
    [
        (0.20, 0.30, None, 0.0, "promoted", "wql 0.2000 is below seasonal naive's 0.3000; no champion yet"),
        (0.30, 0.30, None, 0.0, "refused", "wql 0.3000 is not below seasonal naive's 0.3000; no champion yet"),
        (
            0.20, 0.30, 0.20, 0.0, "promoted",
            "wql 0.2000 is below seasonal naive's 0.3000; wql 0.2000 is not worse than the champion's 0.2000",
        ),
        (
            0.21, 0.30, 0.20, 0.0, "refused",
            "wql 0.2100 is worse than the champion's 0.2000; wql 0.2100 is below seasonal naive's 0.3000",
        ),
        (
            0.21, 0.30, 0.20, 0.05, "promoted",
            "wql 0.2100 is below seasonal naive's 0.3000; "
            "wql 0.2100 is not worse than the champion's 0.2000 (5.0% worse is accepted)",
        ),
        (
            0.22, 0.30, 0.20, 0.05, "refused",
            "wql 0.2200 is worse than the champion's 0.2000 (5.0% worse is accepted); "
            "wql 0.2200 is below seasonal naive's 0.3000",
        ),
        (
            0.40, 0.30, 0.50, 0.0, "refused",
            "wql 0.4000 is not below seasonal naive's 0.3000; wql 0.4000 is not worse than the champion's 0.5000",
        ),
    ],
)  # fmt: skip
def test_decisions_and_their_words(challenger, naive, champion, tolerance, outcome, reason):
    decision = decide("wql", challenger, naive, champion, champion is not None, tolerance)
    assert decision.outcome == outcome
    assert decision.promoted == (outcome == "promoted")
    assert decision.reason == reason


@pytest.mark.parametrize("absent", [None, math.nan, math.inf])
def test_a_missing_number_never_passes_and_is_named(absent):
    assert decide("mase", absent, 1.0, None, False).reason == "mase is missing for the challenger; no champion yet"
    assert decide("mase", 0.5, absent, None, False).reason == "mase is missing for seasonal naive; no champion yet"
    refused = decide("mase", 0.5, 1.0, absent, True)
    assert refused.reason == "mase is missing for the champion; mase 0.5000 is below seasonal naive's 1.0000"
    assert not refused.promoted


@given(SCORES, SCORES, SCORES, st.booleans(), st.floats(0, 1))
def test_whoever_is_promoted_beats_naive_and_is_no_worse_than_the_champion(challenger, naive, champion, has, tolerance):
    decision = decide("wql", challenger, naive, champion, has, tolerance)
    if decision.promoted:
        assert math.isfinite(challenger)
        assert challenger < naive
        assert not has or challenger <= champion * (1 + tolerance)
    assert decision.promoted == all(rule.passed for rule in decision.rules)


@given(FINITE, FINITE, FINITE, st.floats(0, 1), st.floats(0, 1))
def test_a_better_challenger_or_a_wider_tolerance_never_loses_a_promotion(
    challenger, naive, champion, share, tolerance
):
    if decide("wql", challenger, naive, champion, True).promoted:
        assert decide("wql", challenger * share, naive, champion, True, tolerance).promoted


def test_without_a_champion_its_score_does_not_count():
    assert decide("wql", 0.2, 0.3, 0.1, has_champion=False).promoted


def test_the_page_shows_facts_and_rules():
    page = markdown(decide("wql", 0.4, 0.3, None, False), {"challenger": "version 3"})
    assert page.splitlines() == [
        "**refused**",
        "",
        "- challenger: version 3",
        "",
        "| rule | outcome | numbers |",
        "|---|---|---|",
        "| better_than_naive | failed | wql 0.4000 is not below seasonal naive's 0.3000 |",
        "| not_worse_than_champion | passed | no champion yet |",
    ]
