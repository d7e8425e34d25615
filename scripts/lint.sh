#!/bin/sh
# All checks that run no test; every one is run, and the exit code says whether all passed.
set -u
cd "$(dirname "$0")/.." || exit
PATH=$PWD/.venv/bin:$PATH
failed=""

check() {
    name=$1
    shift
    printf '%-12s' "$name"
    if output=$("$@" 2>&1); then
        printf 'ok\n'
    else
        printf 'FAILED\n%s\n' "$output"
        failed="$failed $name"
    fi
}

templates() {
    git ls-files -z 'templates/*.html' | xargs -0 djade --check --target-version 5.2
}

shell_scripts() {
    {
        git ls-files -z '*.sh'
        git grep -lzE '^#!.*[/ ](ba|da)?sh( |$)' -- ':!*.py' ':!*.md'
    } | sort -zu | xargs -0 shellcheck -x
}

# As an administrator would run it behind HTTPS; what Django would warn of then is an error here.
deployment() {
    VNETPANEL_VAR=$(mktemp -d) || return
    export VNETPANEL_VAR
    VNETPANEL_HTTPS=1 VNETPANEL_BEHIND_PROXY=1 VNETPANEL_HOSTS=panel.example.org VNETPANEL_DEBUG=0 \
        python manage.py check --deploy --fail-level WARNING
    code=$?
    rm -rf "$VNETPANEL_VAR"
    return $code
}

check ruff ruff check --quiet .
check format ruff format --check --quiet .
check mypy mypy
check imports lint-imports
check templates templates
check shell shell_scripts
check migrations python manage.py makemigrations --check --dry-run
check deploy deployment

[ -z "$failed" ] || {
    printf 'Failed:%s\n' "$failed"
    exit 1
}
