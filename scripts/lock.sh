#!/bin/sh
# Resolves pyproject.toml into requirements with hashes: run.txt for the panel, dev.txt for working on it.
# No header and no index lines, so that the files name no package index.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
command -v uv >/dev/null || {
    echo "This needs uv (pip install uv)." >&2
    exit 1
}

compile() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --extra embedded --extra postgres "$@"
}

compile --output-file requirements/run.txt
compile --group dev --output-file requirements/dev.txt
