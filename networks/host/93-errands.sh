# shellcheck shell=sh disable=SC2034,SC2154
# What is done once to containers themselves, in the plan's order. Each is noted as begun and as done: an interface
# that was there before is told from one that a cut connection left, and what is done is not done again when
# another line has to be repeated.

# read_errands: E_done and E_begun, a line each between newlines; E_all when all of this commit are done
read_errands() {
	E_done='
' E_begun='
' E_all='' e_last=''
	[ ! -r "$LIB/followed" ] || read -r e_last <"$LIB/followed"
	[ "$e_last" != "$C_txid" ] || E_all=yes
	[ -r "$LIB/errands" ] || return 0
	while read -r e_txid e_state e_rest; do
		case $e_state in
		finished) [ "$e_txid" != "$C_txid" ] || E_done="$E_done$e_rest
" ;;
		begun) E_begun="$E_begun$e_rest
" ;;
		esac
	done <"$LIB/errands"
}
note_errand() {
	{ say "$C_txid $1 $e_line" >>"$LIB/errands"; } 2>/dev/null && sync_file "$LIB/errands"
}
# was_begun netif_add DIALECT CTID IFNAME: for whatever network, which may be another by now
was_begun() {
	case $E_begun in *"
$1 $2 $3 $4 "*) return 0 ;; esac
	return 1
}
# errand KIND DIALECT CTID IFNAME …
errand() {
	e_line=$*
	s_what="saved $3 $4"
	case $E_all$E_done in yes* | *"
$e_line
"*) say "$s_what ok" && return 0 ;; esac
	# Asked first: `vzctl set` of an unknown container succeeds, and makes a conf file for it.
	! is_gone "$3" || return 0
	[ -f "$CONF/$3.conf" ] || { differs "container $3 has no configuration here" || return 1; }
	"do_$1" "$@" || return 1
	sync_file "$CONF/$3.conf"
	note_errand finished
	say "$s_what ok"
}
# do_netif_add netif_add DIALECT CTID IFNAME MAC|- HOSTIF|- BRIDGE|-
do_netif_add() {
	if ! saved_as "$3" "$4"; then
		# Made without that it would be nobody's.
		note_errand begun || { differs "cannot write $LIB" || return 1; }
		s_words=$(as_vzctl vzctl_does "$@" 2>&1)
		e_rc=$?
		saved_as "$3" "$4" || { explain_failed_add "$2" "$4" "$e_rc" || return 1; }
	elif ! was_begun "$1" "$2" "$3" "$4"; then
		differs "$4 exists already, not made by this change" || return 1
	fi
	# 7+ saves an interface that it could not make; the next try, or the container's next start, makes it.
	if ! agrees "$2" "$7" || { [ ! -d "/sys/class/net/$S_host" ] && is_running "$3"; }; then
		s_words=$(as_vzctl vzctl_does save "$2" "$3" "$4" "$S_host" "$7" 2>&1)
		saved_as "$3" "$4"
		agrees "$2" "$7" || { differs "$(last_words)" || return 1; }
	fi
	[ -d "/sys/class/net/$S_host" ] || ! is_running "$3" || { differs "$S_host is not there: $(last_words)" || return 1; }
	joined "$3" "$S_host" "$7"
}
# A stock vznetaddbr reads the conf before it is saved, and fails for a container's first interface: exit code 130.
explain_failed_add() {
	case $1$3 in
	4130) differs "vzctl cannot give a running container its first network adapter while $VZNET calls a script of" \
		"somebody else: stop the container, and this is tried again" ;;
	*) differs "$(last_words)" ;;
	esac
}
# is_running CTID; 2: vzctl does not say
is_running() {
	case $(vzctl status "$1" 2>/dev/null </dev/null 9>&-) in
	*' running'*) return 0 ;;
	'') return 2 ;;
	esac
	return 1
}
# do_netif_del netif_del DIALECT CTID IFNAME. `--netif_del` of an unknown name succeeds, hence looked for before.
do_netif_del() {
	saved_as "$3" "$4" || return 0
	[ "$S_type" != routed ] || { differs "$4 is host-routed" || return 1; }
	e_host=$S_host
	note_errand begun
	s_words=$(as_vzctl vzctl_does "$@" 2>&1)
	! saved_as "$3" "$4" || { differs "$(last_words)" || return 1; }
	[ ! -d "/sys/class/net/$e_host" ] || ! is_running "$3" || { differs "$e_host is still there" || return 1; }
}
# do_ipadd ipadd DIALECT CTID IFNAME ADDRESS/LENGTH
do_ipadd() {
	has_address "$2" "$3" "$4" "$5" && { in_the_guest keep "$@"; return; }
	s_words=$(as_vzctl vzctl_does "$@" 2>&1)
	has_address "$2" "$3" "$4" "$5" || { differs "$(why_not $? "$3" "$4")" || return 1; }
	in_the_guest keep "$@"
}
# A guest that could not be asked may still have it, and gets it back from its own configuration at its next start.
do_ipdel() {
	has_address "$2" "$3" "$4" "$5"
	if [ $? != 1 ]; then
		s_words=$(as_vzctl vzctl_does "$@" 2>&1)
		has_address "$2" "$3" "$4" "$5"
		e_rc=$?
		[ $e_rc = 1 ] || { differs "$(why_not $e_rc "$3" "$4")" || return 1; }
	fi
	in_the_guest drop "$@"
}
# in_guest CTID COMMAND: as `bounded`, without its errors
in_guest() {
	g_errors=3
	bounded exec2 "$1" "$2"
}
# bounded WORDS…: vzctl with them, which runs something inside: G_said is what it says, errors too where g_errors is 1, and its
# exit code ours. The owner of the container decides what the programs there do, for how long and how much: he must not
# keep us, who hold the transaction's lock. 137: no end.
bounded() {
	g_patient='' g_rc=''
	! command -v timeout >/dev/null || g_patient="timeout -s KILL ${VNP_PATIENCE:-60}"
	G_said=$({
		{
			$g_patient vzctl "$@" 2>&"$g_errors"
			printf '\nrc %s\n' $?
		} | head -c 65536
	} 3>/dev/null 9>&-)
	case ${G_said##*
} in
	'rc 137') ;;
	'rc '[0-9] | 'rc '[0-9][0-9] | 'rc '[0-9][0-9][0-9]) g_rc=${G_said##*rc } ;;
	esac
	[ -n "$g_rc" ] || { G_said="what runs inside container $2 does not come to an end" && return 137; }
	G_said=${G_said%
rc *}
	return "$g_rc"
}
# in_the_guest keep|drop KIND DIALECT CTID IFNAME ADDRESS/LENGTH: on 4.x, an address of a bridged interface outlives a
# restart only in the guest's own configuration. What that does not allow is said; it is no reason to try again.
in_the_guest() {
	case $3$5 in 7* | 4venet0) return 0 ;; esac
	is_running "$4" || { differs "container $4 is not running" || return 1; }
	e_words=$(guest_text | {
		in_guest "$4" "sh -s $1 $5 $6"
		e_rc=$?
		say "$G_said"
		exit $e_rc
	}) && return 0
	say "warn guest-$1 $6 on $5 of container $4 is as asked until the container restarts: $(say "$e_words" | tail -n 1 | tr -cd ' -~')"
}
# why_not RC CTID IFNAME: why an address is not as asked, after has_address has returned that
why_not() {
	[ "$1" = 3 ] || { last_words; return; }
	say "inside container $2 nothing is called $3 any more: when it has its name again there, or the container has" \
		"restarted, this is tried again"
}
# has_address DIALECT CTID IFNAME ADDRESS/LENGTH: as vzctl has saved it; bridged on 4.x, as it is inside now. 1: it has not;
# more: could not be asked, or 3: it is there under another name. A guest that has no such interface could.
has_address() {
	case $1$3 in
	4venet0 | 7*) awk -v key=ifname -v value="$3" -v address="$4" "$AWK_NETIF" "$CONF/$2.conf" ;;
	*)
		in_guest "$2" "ip -o addr show dev $3 || { [ ! -e /proc/sys/net/ipv4/conf/$3 ] && echo absent; }" </dev/null || return 2
		case $G_said in
		*" $4 "*) return 0 ;;
		absent*) ! saved_as "$2" "$3" || [ ! -d "/sys/class/net/$S_host" ] || return 3 ;;
		esac
		return 1
		;;
	esac
}
