#!/bin/sh
# What vzctl 4.x calls for each host-side interface (EXTERNAL_SCRIPT of /etc/vz/vznet.conf): `init veth HOSTIF` with
# VEID in the environment. Joins the interface of a starting container to the bridge of its conf.
# Unlike the stock vznetaddbr it never fails (that would make vzctl forget a container's first interface, whose
# NETIF is still empty), never falls back to vmbr0, never moves an interface that is in a bridge already, and
# never sources the conf, whose values are not escaped.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ "${1:-} ${2:-}" = "init veth" ] && [ -n "${3:-}" ] || exit 0
ip link set dev "$3" up

# `vzctl set` of the panel's own follow-up calls this too, with the conf as it was before.
read -r pid ctid 2>/dev/null <"${VNP_RUN:-/run/vnetpanel}/following"
[ -n "$ctid" ] && [ "$ctid" = "${VEID:-}" ] && [ -d "/proc/$pid" ] && exit 0

for port in /sys/class/net/*/brif/"$3"; do [ -e "$port" ] && exit 0; done
netif=
while IFS= read -r line || [ -n "$line" ]; do
	case $line in NETIF=*) netif=${line#NETIF=} ;; esac
done 2>/dev/null <"${VNP_CONF:-/etc/vz/conf}/${VEID:-0}.conf"
netif=\;${netif#\"}
netif=${netif%\"}\;
entry=
set -f
IFS=\;
for part in $netif; do
	case ,$part, in *",host_ifname=$3,"*) entry=,$part, ;; esac
done
case $entry in *,bridge=*) ;; *) exit 0 ;; esac
bridge=${entry#*,bridge=}
bridge=${bridge%%,*}
case $bridge in '' | vn-none | -* | *[!A-Za-z0-9_.-]*) exit 0 ;; esac
if [ ! -d "/sys/class/net/$bridge/bridge" ]; then
	echo "$3: there is no bridge $bridge; the container starts without this network" >&2
	exit 0
fi
ip link set dev "$3" master "$bridge" 2>/dev/null || brctl addif "$bridge" "$3"
exit 0
