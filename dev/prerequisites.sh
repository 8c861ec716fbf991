#!/bin/sh
# What the make targets need beside Rust: Java and Maven (Kafka), Postgres' server binaries, a C
# toolchain with OpenSSL and zlib (librdkafka), Python (a linter's wheel), curl.
#
# As root on Debian or Ubuntu, installs what is missing. Elsewhere names the one command to type.
# Takes well under a second when nothing is missing, so every target can call it.
set -eu

missing=''   # Debian packages
brew=''      # Homebrew formulae for the same

need() {
    missing="$missing $1"
    brew="$brew $2"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# From `openjdk version "17.0.15" …`; macOS has a `java` that only says that there is none.
java_version() {
    java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'
}

# The newest major version among the places that dev/src/postgres/binaries.rs searches.
postgres_version() {
    for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin /home/linuxbrew/.linuxbrew/opt/postgresql@*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            version=${folder%/bin}
            version=${version##*/}
            echo "${version#postgresql@}"
        fi
    done
    if has postgres && has initdb; then
        postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'
    fi
}

at_least() {
    wanted=$1
    while read -r version; do
        case $version in
        '' | *[!0-9]*) ;;
        *) if [ "$version" -ge "$wanted" ]; then return 0; fi ;;
        esac
    done
    return 1
}

if ! has cargo; then
    echo "cargo is missing: install Rust from https://rustup.rs, then run this again" >&2
    exit 1
fi
if ! { has java && java_version | at_least 17; }; then need openjdk-17-jre-headless openjdk; fi
has mvn || need maven maven
postgres_version | at_least 15 || need postgresql postgresql@17
has curl || need curl curl
if ! has cc || ! has c++ || ! has make; then need build-essential ''; fi
if ! has pkg-config; then
    need 'pkg-config libssl-dev zlib1g-dev' 'pkgconf openssl@3'
elif ! pkg-config --exists openssl zlib; then
    need 'libssl-dev zlib1g-dev' openssl@3
fi
# Debian splits venv off, and then it fails only when used: look for the part that is split off.
python3 -c 'import venv, ensurepip' 2>/dev/null || need python3-venv python

[ -n "$missing" ] || exit 0

if has apt-get && [ "$(id -u)" -eq 0 ]; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # Debian's package would start a server of its own at once, which nobody here uses.
    if ! [ -e /etc/postgresql-common ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages, meant to be split
    apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold $missing
elif has apt-get; then
    printf 'some packages are missing; install them with:\n\n  sudo apt-get install -y%s\n\n' "$missing" >&2
    exit 1
elif has brew; then
    printf 'some packages are missing; install them with:\n\n  brew install%s\n\n' "$brew" >&2
    exit 1
else
    printf 'some packages are missing; install these, by the names your system has for them:\n\n %s\n\n' "$missing" >&2
    exit 1
fi
