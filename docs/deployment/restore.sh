#!/bin/sh
# Puts what backup.sh took into empty databases (databases.sh makes them, and roles.sql its roles where there were some) and
# an empty bucket, before any process of ours starts: PGHOST=... PGUSER=postgres PGPASSWORD=... ./restore.sh FOLDER OBJECTS
set -eu
folder=$1 objects=$2
test -f "$folder/complete" || { echo "$folder is no complete backup: it has no file complete" >&2; exit 1; }
for database in tables mlflow dagster; do # nothing is touched before all of it can be
  pg_restore --list "$folder/$database.dump" >/dev/null
  found=$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$database" --command="SELECT count(*) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
  test "$found" = 0 || { echo "the database $database is not empty: it has $found tables" >&2; exit 1; }
done
${COPY:-rclone copy} "$folder/objects" "$objects"
for database in tables mlflow dagster; do
  pg_restore --single-transaction --exit-on-error --dbname="$database" "$folder/$database.dump"
done
