"""Pure decisions: the gate, the retraining policy, its replay."""
