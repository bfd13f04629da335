"""The services that can make our forecasts, each behind the protocol of `protocol.py`."""
