#!/usr/bin/env bash
# Writes `.sqlx`, the query data that lets the workspace compile without a database; `--check` compares and exits 1 when
# it is stale. Does what `cargo sqlx prepare` does (whose build takes minutes), on a temporary Postgres.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
'' | --check) mode=${1-} ;;
*) echo "usage: dev/sqlx-prepare.sh [--check]" >&2 && exit 2 ;;
esac

packages=(projectors query-api)
binaries=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if [[ -n $binaries ]]; then PATH=$binaries:$PATH; fi
if ! command -v initdb >/dev/null; then
    echo "no Postgres server binaries found; on Debian type: apt-get install postgresql" >&2
    exit 1
fi

# Postgres refuses to run as root.
as_postgres() {
    if [[ $(id -u) == 0 ]]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi
}

scratch=$(mktemp -d)
stop() {
    as_postgres pg_ctl --pgdata="$scratch/cluster" --mode=immediate --silent stop >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap stop EXIT
mkdir "$scratch/queries"
if [[ $(id -u) == 0 ]]; then chown postgres "$scratch"; fi

# Only a socket, in a folder of its own: no port to clash with.
(
    cd "$scratch"
    as_postgres initdb --pgdata=cluster --username=postgres --auth=trust --no-sync >/dev/null
    as_postgres pg_ctl --pgdata=cluster --silent --wait --log=log \
        --options="-c listen_addresses='' -c unix_socket_directories='$scratch' -c fsync=off" start >/dev/null
)
run_sql() { psql --host="$scratch" --username=postgres --quiet --no-psqlrc --set=ON_ERROR_STOP=1 "$@" postgres; }
for migration in migrations/*.sql; do run_sql --file="$migration"; done
# SQL is unqualified: the connection's search_path picks a projection's version. Here all of them share one schema.
run_sql --command='create schema prepare' --command='alter database postgres set search_path = prepare'
for tables in projectors/src/*/tables.sql; do run_sql --file="$tables"; done

# The macros save what they learn, but only when their crate is compiled.
export DATABASE_URL="postgres://postgres@localhost/postgres?host=$scratch"
export SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$scratch/queries"
for package in "${packages[@]}"; do touch "$package/src/lib.rs"; done
# The whole workspace, so that dependencies have the features that every other command compiles them with.
cargo check --quiet --workspace --lib

if [[ $mode == --check ]]; then
    if diff --recursive --brief .sqlx "$scratch/queries" >&2; then exit 0; fi
    echo ".sqlx is stale; type: dev/sqlx-prepare.sh" >&2
    exit 1
fi
rm -rf .sqlx
cp --recursive "$scratch/queries" .sqlx
