#!/bin/sh
# Resolves pyproject.toml into requirements with hashes: run.txt for the panel, dev.txt for working on it, bench.txt
# for what the benchmark compares it with, in an environment of its own.
# No header and no index lines, so that the files name no package index.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
command -v uv >/dev/null || {
    echo "This needs uv (pip install uv)." >&2
    exit 1
}

resolve() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links "$@"
}

resolve pyproject.toml --extra embedded --extra postgres --output-file requirements/run.txt
resolve pyproject.toml --extra embedded --extra postgres --group dev --output-file requirements/dev.txt
resolve --group bench --output-file requirements/bench.txt
