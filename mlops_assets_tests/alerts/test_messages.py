"""What an alert is about decides its kind."""

import pytest

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.forecasting.decisions.policy import Answer


@pytest.mark.parametrize(("rule", "event"), [("bias", "bias"), ("relative", "breach")])
def test_a_bias_has_an_alert_of_its_own(rule, event):
    answer = Answer("refit", "bias 0.2000 of 2024-05-03 is above 0.1", rule, breach="v1 2024-05-02", attempt=1)
    told = messages.breach("demo", answer, Notifications())
    assert (told.event, told.key) == (event, "v1 2024-05-02")
    assert f"breaches the rule {rule} since 2024-05-02" in told.what
    assert "bias 0.2000 of 2024-05-03" in told.what
