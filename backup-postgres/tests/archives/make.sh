#!/bin/sh
# Makes the archives of this folder: ./make.sh FOLDER-WITH-POSTGRESQL-PROGRAMS MAJOR, as a user who may run a server.
# They are frozen: the tests read them as they are, so that every version of the format stays under test.
set -eu
bin=$1 major=$2 here=$(cd "$(dirname "$0")" && pwd) work=$(mktemp -d)
trap '"$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1; rm -rf "$work"' EXIT
"$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
"$bin/pg_ctl" -D "$work/data" -w -o "-c listen_addresses= -k $work" -l "$work/log" start >/dev/null
export PGHOST=$work PGUSER=postgres TZ=UTC PGTZ=UTC
for name in rich bare small; do
    "$bin/psql" -qXd postgres -c "CREATE DATABASE $name"
done
"$bin/psql" -qX -v ON_ERROR_STOP=1 -d rich -f "$here/rich.sql" >/dev/null
"$bin/psql" -qX -v ON_ERROR_STOP=1 -d small -c "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); CREATE TABLE u (); SELECT lo_from_bytea(5, 'five'), lo_from_bytea(3000000000, '')" >/dev/null
for name in rich bare small; do
    "$bin/pg_dump" -Fc -Z0 -d $name | cat >"$here/$name-$major.dump"
done
"$bin/pg_dump" -Fc -Z1 -d small | cat >"$here/compressed-$major.dump"
