#!/bin/sh
# Installs what a command of the Makefile needs and this machine lacks: Debian packages (as root) and, from the
# hash-locked requirements, Python packages into .venv. Does nothing, quickly, when nothing is missing.
#
#   scripts/prepare.sh run|demo|test|lint|bench
set -eu
umask 022 # what is installed is for other users too, as the unit's (docs/operations.md)
cd "$(dirname "$0")/.."

LAB_PACKAGES="user-mode-linux kmod e2fsprogs openssh-server openssh-client iproute2 iputils-ping iputils-arping
    nftables busybox sudo systemd"
# On a processor with AMX the lab's kernels need a small library, built on the machine (lab/wide_registers.c).
! grep -q amx_tile /proc/cpuinfo || LAB_PACKAGES="$LAB_PACKAGES gcc libc6-dev"
BROWSER_PACKAGES="chromium fonts-dejavu-core"
# Its programs only: tests start a server of their own, see install_packages.
DATABASE_PACKAGES="postgresql"

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

is_root() {
    [ "$(id -u)" = 0 ]
}

# Debian packages of a list that are not installed here.
missing_of() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# A virtual environment needs the ensurepip module, which Debian keeps in a package of its own.
missing_for_python() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
}

# openssh-server would start a server on this machine and on each boot. The lab runs sshd inside its own servers
# only, so a service that this script brings is neither started nor enabled, however this ends.
# shellcheck disable=SC2030 # for disable_services
install_packages() (
    policy=${PREPARE_ROOT:-}/usr/sbin/policy-rc.d # tests have one of their own
    lacks_ssh=$(missing_of openssh-server)
    lacks_postgresql=$(missing_of postgresql-common) # whose unit it is, whatever the version
    # A killed run of before left its own.
    if [ ! -e "$policy" ] || grep -q "$MARK" "$policy"; then
        trap 'rm -f "$policy"; disable_services' EXIT
        printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$policy"
        chmod 755 "$policy"
    else
        trap disable_services EXIT
    fi
    # dash runs no EXIT trap when a signal ends it.
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    printf 'Installing with apt: %s\n' "$*"
    apt-get update -qq || : # of several sources one may be away
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
)

MARK="# made by the panel's scripts/prepare.sh, which removes it"

# shellcheck disable=SC2031 # of the subshell that calls it
disable_services() {
    command -v systemctl >/dev/null || return 0
    [ -z "$lacks_ssh" ] || systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || :
    [ -z "$lacks_postgresql" ] || systemctl disable --quiet postgresql.service 2>/dev/null || :
}

# What must be there, or the command stops with one sentence.
require_packages() {
    missing=$*
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "This machine has no apt; please install the equivalents of: $missing"
    is_root || fail "Root is needed once, to install: apt-get install $missing"
    # shellcheck disable=SC2086  # a list of package names
    install_packages $missing || fail "apt could not install: $missing(its messages are above)."
}

# What tests can do without: they are skipped, and say so.
want_packages() {
    missing=$*
    [ -n "$missing" ] || return 0
    if is_root && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086  # a list of package names
        install_packages $missing || printf 'apt could not install: %s(tests that need them are skipped).\n' "$missing" >&2
    else
        printf 'Tests that need these Debian packages are skipped: %s\n' "$missing" >&2
    fi
}

sum_of() { sha256sum "$1" | cut -c1-16; }

make_environment() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is needed; $(python3 --version 2>&1 || echo 'python3 is missing')."
    lock=requirements/$1.txt
    version=$(python3 -c 'import sys; print(sys.version.split()[0])')
    stamp=.venv/.installed-$1-$version-$(sum_of "$lock")
    # The list for development holds that for running.
    [ ! -e "$stamp" ] || return 0
    [ "$1" != run ] || [ ! -e ".venv/.installed-dev-$version-$(sum_of requirements/dev.txt)" ] || return 0
    printf 'Installing Python packages into .venv\n'
    # --clear: an environment of another Python, or one half made, is of no use. Only a whole pip can say its version.
    .venv/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv --clear .venv
    rm -f .venv/.installed-*
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
    : >"$stamp"
}

# What the panel is measured against has an environment of its own: it must not choose the panel's versions.
make_bench_environment() {
    stamp=.venv-bench/.installed-$(sha256sum requirements/bench.txt | cut -c1-16)
    [ ! -e "$stamp" ] || return 0
    printf 'Installing Ansible into .venv-bench\n'
    python3 -m venv --clear .venv-bench
    .venv-bench/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/bench.txt
    : >"$stamp"
}

# shellcheck disable=SC2086,SC2046  # lists of package names
case ${1:-} in
run)
    require_packages $(missing_for_python)
    make_environment run
    ;;
demo)
    is_root || fail "The lab needs root, because it makes network namespaces and boots servers; run this as root."
    require_packages $(missing_for_python) $(missing_of $LAB_PACKAGES)
    command -v linux.uml >/dev/null || fail "The lab needs User-Mode Linux, and this machine has no linux.uml."
    make_environment run
    ;;
test)
    require_packages $(missing_for_python)
    want_packages $(missing_of $LAB_PACKAGES $BROWSER_PACKAGES $DATABASE_PACKAGES)
    make_environment dev
    ;;
lint)
    require_packages $(missing_for_python)
    make_environment dev
    ;;
bench)
    is_root || fail "The benchmark makes network namespaces and control groups; run this as root."
    require_packages $(missing_for_python) $(missing_of openssh-server openssh-client iproute2 iputils-ping)
    want_packages $(missing_of postgresql)
    make_environment run
    make_bench_environment
    ;;
*)
    fail "usage: scripts/prepare.sh run|demo|test|lint|bench"
    ;;
esac
