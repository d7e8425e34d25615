#!/bin/sh
# Runs inside a running container of vzctl 4.x, which keeps no address of a bridged interface: writes one into the
# guest's own configuration, or out of it, where that is understood. `keep|drop IFNAME ADDRESS/LENGTH`.
# Understood are Debian's /etc/network/interfaces (ifupdown) and Red Hat's ifcfg files (initscripts).
# Exit code 1 and one line that says why, when it is not. Only lines and files of its own are ever taken away.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
verb=$1 dev=$2 address=$3
etc=${VNP_GUEST:-}/etc
debian=$etc/network/interfaces
redhat=$etc/sysconfig/network-scripts
base=$redhat/ifcfg-$dev
mark='# kept by vnetpanel'
tab='	'

no() {
	echo "$*"
	exit 1
}
# replace FILE <text: whole or not at all, with its owner and mode
replace() {
	[ ! -e "$1" ] || cp -p "$1" "$1.vnetpanel" || no "$1 cannot be written"
	if ! { cat >"$1.vnetpanel" && mv -f "$1.vnetpanel" "$1"; }; then no "$1 cannot be written"; fi
}

# --- Debian ---

line="${tab}up ip link set dev $dev up && ip addr add $address dev $dev || true"
has() { grep -q -E -e "$1" "$2" 2>/dev/null; }
# vzctl writes the file anew at every start of a container with host-routed addresses, from parts beside it.
# stanza FILE: it says something of the interface
stanza() { has "^[[:space:]]*iface[[:space:]]+${dev}[[:space:]]" "$1"; }
is_generated() { grep -q '^# This configuration file is auto-generated' "$debian"; }
debian_keep() {
	for part in "$etc"/network/interfaces.d/* "$debian.head" "$debian.template"; do
		! stanza "$part" || no "$dev is configured in ${part#"${VNP_GUEST:-}"}"
	done
	if stanza "$debian"; then
		has "^[[:space:]]*(auto|allow-hotplug)[[:space:]](.*[[:space:]])?${dev}([[:space:]]|\$)" "$debian" ||
			no "$dev is in /etc/network/interfaces, but not started at boot"
	fi
	debian_write "$debian"
	! is_generated || debian_write "$debian.tail"
}
debian_write() {
	[ ! -L "$1" ] || no "$1 is a symbolic link"
	! grep -q -x -F -e "$line" "$1" 2>/dev/null || return 0
	{
		[ ! -e "$1" ] || cat "$1"
		stanza "$1" || printf '\n%s\nauto %s\niface %s inet manual\n' "$mark" "$dev" "$dev"
	} | awk -v dev="$dev" -v line="$line" '
		{ print }
		$1 == "iface" && $2 == dev && !done { print line; done = 1 }
	' | replace "$1" || exit 1
}
debian_drop() {
	for part in "$debian" "$debian.tail"; do
		if grep -q -x -F -e "$line" "$part" 2>/dev/null; then
			[ ! -L "$part" ] || no "$part is a symbolic link"
			grep -v -x -F -e "$line" "$part" | replace "$part" || exit 1
		fi
	done
	host=$(echo "${address%/*}" | sed 's/\./\\./g')
	for part in "$debian" "$debian".* "$etc"/network/interfaces.d/*; do
		! has "(^|[[:space:]])$host([/[:space:]]|\$)" "$part" ||
			no "${part#"${VNP_GUEST:-}"} gives ${address%/*} in lines that are not the panel's: change it there"
	done
}

# --- Red Hat ---

# byte: the next one of the mask
byte() {
	n=$((bits > 8 ? 8 : bits))
	bits=$((bits - n))
	mask=$mask${mask:+.}$((256 - (1 << (8 - n))))
}
netmask() {
	bits=${address#*/} mask=''
	byte && byte && byte && byte
}
# begun_at_boot: the interface has a file that starts it; one is made where there is none
begun_at_boot() {
	[ ! -L "$base" ] || no "ifcfg-$dev is a symbolic link"
	if [ ! -e "$base" ]; then
		printf '%s\nDEVICE=%s\nONBOOT=yes\nBOOTPROTO=none\nNM_CONTROLLED=no\n' "$mark" "$dev" | replace "$base" || exit 1
	elif has '^BOOTPROTO=.?dhcp' "$base"; then
		no "$dev is configured by DHCP"
	elif ! has '^ONBOOT=.?[Yy]es' "$base"; then
		no "$dev is in ifcfg-$dev, but not started at boot"
	fi
}
# IPv6 has no files of aliases: ifup-ipv6 reads the interface's own file as shell, after /etc/sysconfig/network, and
# wants both switches on. A line of ours adds to what others have said there, whichever comes first.
line6="NETWORKING_IPV6=yes IPV6INIT=yes IPV6ADDR_SECONDARIES=\"\$IPV6ADDR_SECONDARIES $address\" $mark"
has6() { has "IPV6ADDR(_SECONDARIES)?=(.*[\"' ])?${address%/*}([/\"' ]|\$)" "$base"; }
redhat_keep6() {
	! has6 || return 0
	! has '^NETWORKING_IPV6=.?[Nn]' "$etc/sysconfig/network" || no "IPv6 is switched off in /etc/sysconfig/network"
	! has '^IPV6INIT=.?[Nn]' "$base" || no "IPv6 is switched off in ifcfg-$dev"
	begun_at_boot
	[ ! -x "${VNP_GUEST:-}/usr/sbin/NetworkManager" ] || has '^NM_CONTROLLED=.?[Nn]' "$base" ||
		no "NetworkManager reads ifcfg-$dev, and would not understand the panel's line"
	{
		cat "$base"
		echo "$line6"
	} | replace "$base" || exit 1
}
redhat_drop6() {
	if grep -q -x -F -e "$line6" "$base" 2>/dev/null; then
		[ ! -L "$base" ] || no "ifcfg-$dev is a symbolic link"
		grep -v -x -F -e "$line6" "$base" | replace "$base" || exit 1
	fi
	! has6 || no "ifcfg-$dev gives ${address%/*} in lines that are not the panel's: change it there"
}
redhat_keep() {
	for file in "$redhat/ifcfg-$dev" "$redhat/ifcfg-$dev":*; do
		! has "^IPADDR=[\"']?${address%/*}[\"']?\$" "$file" || return 0
	done
	begun_at_boot
	number=0
	while [ -e "$base:$number" ]; do number=$((number + 1)); done
	netmask
	printf '%s\nDEVICE=%s:%s\nONPARENT=yes\nIPADDR=%s\nNETMASK=%s\n' "$mark" "$dev" "$number" "${address%/*}" "$mask" |
		replace "$base:$number" || exit 1
}
redhat_drop() {
	for file in "$redhat/ifcfg-$dev" "$redhat/ifcfg-$dev":*; do
		has "^IPADDR[0-9]*=[\"']?${address%/*}[\"']?\$" "$file" || continue
		grep -q -x -F -e "$mark" "$file" || no "${file#"${VNP_GUEST:-}"} is not the panel's: change it there"
		rm -f "$file" || no "$file cannot be written"
	done
}

case $dev in '' | *[!A-Za-z0-9_.-]*) no "not a name" ;; esac
case $address in '' | *[!0-9a-f.:/]*) no "not an address" ;; esac
for yaml in "$etc"/netplan/*.yaml; do [ ! -e "$yaml" ] || no "its network is configured by netplan"; done
if [ -d "$redhat" ]; then
	case $verb/$address in
		keep/*:*) redhat_keep6 ;;
		keep/*) redhat_keep ;;
		*:*) redhat_drop6 ;;
		*) redhat_drop ;;
	esac
elif [ -f "$debian" ]; then
	if [ "$verb" = keep ]; then debian_keep; else debian_drop; fi
elif [ "$verb" = keep ]; then
	no "its network configuration is neither Debian's /etc/network/interfaces nor Red Hat's ifcfg files"
fi
exit 0
