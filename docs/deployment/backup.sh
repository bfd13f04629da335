#!/bin/sh
# Takes everything into a new folder, while rounds go on: PGHOST=... PGUSER=... PGPASSWORD=... ./backup.sh FOLDER OBJECTS
# OBJECTS is the bucket as the copying command names it. The order matters: what a dump names was stored before it, in a
# database that is dumped after it, or as an object, and objects are not replaced.
set -eu
folder=$1 objects=$2
mkdir "$folder"
for database in tables mlflow dagster; do
  pg_dump --format=custom --file="$folder/$database.dump" "$database"
done
${COPY:-rclone copy} "$objects" "$folder/objects"
date -u +%Y-%m-%dT%H:%M:%SZ >"$folder/complete"
