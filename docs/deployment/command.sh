#!/bin/sh
# `mlops-assets` with the variables of the units, for people and cron: installed as /usr/local/bin/mlops-assets.
# A value with a space, &, $ or # stands in single quotes in these files, which units and shells both understand.
set -eua
umask 077
for file in dagster storage forecasts; do . "/etc/mlops-assets/$file.env"; done
exec /opt/mlops-assets/bin/mlops-assets "$@"
