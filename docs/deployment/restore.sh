#!/bin/sh
# Puts what backup.sh took into empty databases (databases.sh makes them, and roles.sql its roles where there were some) and
# an empty bucket, before any process of ours starts: PGHOST=... PGUSER=postgres PGPASSWORD=... ./restore.sh FOLDER OBJECTS
set -eu
folder=$1 objects=$2
test -f "$folder/complete" || { echo "$folder is no complete backup: it has no file complete" >&2; exit 1; }
${COPY:-rclone copy} "$folder/objects" "$objects"
for database in tables mlflow dagster; do
  pg_restore --single-transaction --exit-on-error --dbname="$database" "$folder/$database.dump"
done
