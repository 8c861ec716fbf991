#!/bin/sh
# Fetches the linters that are not part of the Rust toolchain into .offset-zero/tools, once.
set -eu

tools=.offset-zero/tools
cargo_deny=0.20.2
typos=1.52.0

mkdir -p "$tools/bin"

# Compiling it takes two minutes, so one that is installed already will do.
if ! [ -x "$tools/bin/cargo-deny" ]; then
    if command -v cargo-deny >/dev/null 2>&1; then
        ln -sf "$(command -v cargo-deny)" "$tools/bin/cargo-deny"
    else
        cargo install cargo-deny --locked --version "$cargo_deny" --root "$tools"
    fi
fi

# From a wheel: compiling it would take minutes, too.
if ! [ -x "$tools/bin/typos" ] || ! "$tools/bin/typos" --version | grep -qF " $typos"; then
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check "typos==$typos"
    ln -sf ../python/bin/typos "$tools/bin/typos"
fi
