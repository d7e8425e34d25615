#!/bin/sh
# Asks the public database of faults about every package of requirements/run.txt. Advice for people, not a check: what
# it says changes from day to day without any change here, so it never fails a build.
set -u
cd "$(dirname "$0")/.." || exit
if ! .venv/bin/python -c 'import pip_audit' 2>/dev/null; then
    echo "This needs pip-audit: .venv/bin/pip install pip-audit"
    exit 0
fi
.venv/bin/python -m pip_audit --requirement requirements/run.txt --disable-pip --progress-spinner off ||
    echo "Read what it names above (or: the database cannot be reached from here). Advice only."
exit 0
