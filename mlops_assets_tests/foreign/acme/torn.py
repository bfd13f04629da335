"""A module that cannot be imported."""

raise RuntimeError("the licence of acme has expired")
