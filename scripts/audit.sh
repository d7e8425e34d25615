#!/bin/sh
# Asks the public database of faults about every package of requirements/run.txt. Advice for people, not a check: what
# it says changes from day to day without any change here, so it never fails a build.
set -u
cd "$(dirname "$0")/.." || exit
if ! .venv/bin/python -c 'import pip_audit' 2>/dev/null; then
    echo "This needs pip-audit: .venv/bin/pip install pip-audit"
    exit 0
fi
found=$(.venv/bin/python -m pip_audit --requirement requirements/run.txt --disable-pip --progress-spinner off 2>&1)
status=$?
unknown=$(printf '%s\n' "$found" | grep -c 'could not be audited')
if [ "$unknown" -gt 0 ]; then
    # It calls such a package skipped and then finds nothing wrong, which would read as good news.
    echo "The database of faults does not know $unknown packages from here (no internet, or an index without it):"
    echo "nothing is said about them."
    found=$(printf '%s\n' "$found" | grep -v '^No known')
elif [ $status -ne 0 ] && ! printf '%s\n' "$found" | grep -q '^Name .*Version .*ID'; then
    echo "The database of faults cannot be reached from here, so nothing is known. Its last words:"
    printf '%s\n' "$found" | tail -n 1 | cut -c 1-300
    exit 0
fi
printf '%s\n' "$found" | grep -v -e 'could not be audited' -e '^WARNING:' -e '^Name  *Skip Reason' -e '^-* -*$'
echo "Advice only: read what it names above, if anything."
exit 0
