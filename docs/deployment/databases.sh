#!/bin/sh
# Makes the three databases, each with the role that owns it. PostgreSQL's image runs this when its volume is empty;
# elsewhere: PGHOST=... PGUSER=postgres TABLES_PASSWORD=... MLFLOW_PASSWORD=... DAGSTER_PASSWORD=... ./databases.sh
set -eu
make() {
  psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=postgres --set=name="$1" --set=password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
make tables "$TABLES_PASSWORD"
make mlflow "$MLFLOW_PASSWORD"
make dagster "$DAGSTER_PASSWORD"
