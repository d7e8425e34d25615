# shellcheck shell=sh disable=SC2034,SC2154
# What only shows outside the kernel's own tables: who else holds on to an adapter by its name.
# Only for adapters whose layer 3 moves ($D/moving); warnings only where somebody reviews them.

preflight() (
	bad=0
	while read -r dev; do
		lease_holder "$dev" || bad=1
		[ "$1" != review ] || { policy_rule "$dev" && rules_by_name "$dev"; }
	done <"$D/moving"
	[ "$1" != review ] || bridge_filter
	return "$bad"
)
# A DHCP client would renew on the port, or put its address back there.
lease_holder() (
	for p in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$p/comm" || continue
		case $name in dhclient* | dhcpcd* | udhcpc*) ;; *) continue ;; esac
		# Anybody can call a program so.
		# shellcheck disable=SC3067 # dash, busybox and bash all know -O
		[ -O "$p" ] || continue
		# Containers' processes are visible here: theirs are in another namespace, or on OpenVZ have an envID.
		# shellcheck disable=SC3013 # dash, busybox and bash all know -ef
		[ ! -e "$p/ns/net" ] || [ "$p/ns/net" -ef /proc/self/ns/net ] || continue
		case $(sed -n 's/^envID:[[:space:]]*//p' "$p/status") in '' | 0) ;; *) continue ;; esac
		# Neither eth1 of eth10, nor eth0 of eth0.100.
		case " $(tr '\000' ' ' <"$p/cmdline")" in *[!0-9A-Za-z_]"$1"[!0-9.]*)
			say "refuse dhcp-client $name runs for $1: give it a static configuration and stop that first"
			return 1
			;;
		esac
	done
)
bridge_filter() (
	read -r on 2>/dev/null </proc/sys/net/bridge/bridge-nf-call-iptables || return 0
	[ "$on" = 1 ] || return 0
	case $(iptables -S FORWARD 2>/dev/null) in *'-P FORWARD DROP'*)
		say "warn forward-drop iptables drops forwarded packets and bridge-nf-call-iptables sends it bridged ones:" \
			"containers will be cut off; set net.bridge.bridge-nf-call-iptables to 0 or accept them"
		;;
	esac
)
policy_rule() {
	{
		ip -4 rule show
		ip -6 rule show
	} 2>/dev/null | while read -r rule; do
		case " $rule " in *" iif $1 "* | *" oif $1 "*)
			say "warn rule-by-name the policy rule [$rule] names $1: it will not match what the bridge receives"
			break
			;;
		esac
	done
}
rules_by_name() (
	found=$({
		iptables-save
		ip6tables-save
		nft list ruleset
	} 2>/dev/null | grep -c -E -- "(-[io] |[io]ifname \"?)$1( |\"|\$)")
	[ "${found:-0}" = 0 ] ||
		say "warn rule-by-nic $found firewall rules name $1: what arrives will belong to the bridge; adapt them"
	case $(tc qdisc show dev "$1" 2>/dev/null) in *' htb '* | *' hfsc '* | *' tbf '* | *' ingress '* | *' clsact '*)
		say "warn shaping $1 has traffic shaping, which will see the containers' traffic too"
		;;
	esac
)
