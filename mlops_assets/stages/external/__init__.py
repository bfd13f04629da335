"""An external service's forecasts: what it is asked, what it may answer, and how that lies in the ledger with ours."""
