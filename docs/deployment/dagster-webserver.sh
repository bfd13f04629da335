#!/bin/sh
# Stands in the image where Dagster's own program did, so that whoever starts it there, as Dagster's chart does, has the guard.
exec python -m mlops_assets.serving.dagster_webserver "$@"
