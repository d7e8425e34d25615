# shellcheck shell=sh disable=SC2034
# The transaction on a server. POSIX sh for dash, busybox and bash; what it does is in README.md beside its source.
# Functions that use variables of their own run in a subshell, `f() ( … )`, unless a caller needs what they set:
# POSIX has no `local`, and a helper's `d` once overwrote its caller's.
set -u
umask 077
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin${VNP_PATH:+:$VNP_PATH}
export LC_ALL PATH

RUN=${VNP_RUN:-/run/vnetpanel}     # gone after a reboot, as is everything a transaction does before its commit
ETC=${VNP_ETC:-/etc/vnetpanel}     # `committed`: what this server is meant to be
LIB=${VNP_LIB:-/var/lib/vnetpanel} # these programs, and how far vzctl has followed
SYS=${VNP_SYS:-}                   # where /etc/init.d and the like are; tests put them elsewhere
SELF=${VNP_SELF:-$0}
: "${VNP_CRASH:=}" "${VNP_BAD_LINE:=}" "${VNP_BRCTL:=}" # faults, for tests

OK=0 BAD=64 CHANGED=65 REFUSED=69 BROKEN=74 BUSY=75 BACK=76 UNKNOWN=77

say() { printf '%s\n' "$*"; }
# Every answer ends with this line, so that a cut one is known as such.
leave() {
	say "done=$1"
	exit "$1"
}
fail() {
	code=$1
	shift
	say "error=$*"
	leave "$code"
}
crash() {
	case " $VNP_CRASH " in
	*" $1 "*) kill -9 $$ ;;
	*" stop:$1 "*) kill -STOP $$ ;;
	esac
}
is_txid() {
	case $1 in '' | -* | *[!A-Za-z0-9-]*) return 1 ;; esac
	[ ${#1} -le 64 ]
}
is_number() {
	case $1 in '' | *[!0-9]* | 0?*) return 1 ;; esac
	[ ${#1} -le 5 ]
}
# Seconds and hundredths since boot. The wall clock may be set meanwhile.
clock() {
	read -r NOW_CS _ </proc/uptime
	NOW=${NOW_CS%.*}
	NOW_CS=$NOW${NOW_CS#*.}
}
boot_id() { read -r BOOT </proc/sys/kernel/random/boot_id; }
# feed TEXT COMMAND …: TEXT is its standard input, with no space left on any disk too. dash and busybox need no process
# for a few kilobytes; bash would write a file first.
if [ -n "${BASH_VERSION:-}" ]; then
	feed() {
		f_text=$1
		shift
		printf '%s\n' "$f_text" | "$@"
	}
else
	feed() {
		f_text=$1
		shift
		"$@" <<-VNP_FED
			$f_text
		VNP_FED
	}
fi
# One that is not there is not made.
sync_file() { [ ! -f "$1" ] || dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null; }
# sync_name FILE: that it is called so is on the disk. Before coreutils 8.24 `sync` takes no argument and waits for every
# disk of the machine, and for a network file system that hangs; ext and xfs write a new name down with its file.
B_syncs=''
sync_name() {
	[ -n "$B_syncs" ] || { [ ! -r "$RUN/syncs" ] || read -r B_syncs <"$RUN/syncs"; }
	if [ -z "$B_syncs" ]; then
		case $(sync --help 2>&1) in *FILE*) B_syncs=names ;; *) B_syncs=all ;; esac
		{ say $B_syncs >"$RUN/syncs"; } 2>/dev/null
	fi
	if [ "$B_syncs" = names ]; then sync "${1%/*}" 2>/dev/null && return; fi
	sync_file "$1" || sync
}
# put FILE: standard input becomes FILE, whole or not at all, whatever the power does.
put() {
	dd of="$1.new" conv=fsync 2>/dev/null && mv -f "$1.new" "$1" && sync_name "$1"
}
