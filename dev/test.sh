#!/bin/sh
# Runs every test, shows the output as it comes, and ends with one line that sums all test binaries:
# `N passed, N failed`. Exits as cargo does.
set -u

output=$(mktemp)
status=$(mktemp)
trap 'rm -f "$output" "$status"' EXIT

# A pipe's exit status is its last command's, and POSIX sh has no pipefail: cargo's goes by file.
# --no-fail-fast: the closing line counts all tests, not those up to the first binary that failed.
{
    cargo test --locked --workspace --no-fail-fast "$@" 2>&1
    echo $? >"$status"
} | tee "$output"

# A binary that crashed has no result line, but cargo's status tells.
awk '
    /^test result: / { passed += $4; failed += $6 }
    END { printf "\n%d passed, %d failed\n", passed, failed }
' "$output"
exit "$(cat "$status")"
