# What the kernel has: reads what look() prints on standard input, and /sys and /proc where needed.
# Everything is kept as the words `ip` wants back, so that what was seen can be said again:
#   nA/A[family,link,i] addresses   nR/R routes   nP/P proxied addresses   nN/N learnt neighbours

function rd(path, v) {
	v = ""
	if ((getline v < path) < 0) v = ""
	close(path)
	return v
}
function sys(dev, file) { return rd("/sys/class/net/" dev "/" file) }
function exists(dev) { return sys(dev, "ifindex") != "" }
function is_bridge(dev) { return sys(dev, "bridge/stp_state") != "" }
# The last hex digit of flags says IFF_UP, the third from the right IFF_SLAVE (0x800, the slave of a bond).
function is_up(dev) { return sys(dev, "flags") ~ /[13579bdf]$/ ? 1 : 0 }
function is_slave(dev) { return sys(dev, "flags") ~ /[89a-f]..$/ }
function add_to(list, count, key, words) { list[key, ++count[key]] = words }

function read_vlans(line, w) {
	while ((getline line < "/proc/net/vlan/config") > 0)
		if (split(line, w, /[ |]+/) >= 3 && w[2] ~ /^[0-9]+$/) { base[w[1]] = w[3]; vid[w[1]] = w[2] }
	close("/proc/net/vlan/config")
}
# look() prints: the ports of all bridges, then addresses and routes for each family, then proxies and neighbours of
# both; each list is closed by the line of lo.
function take() {
	if ($0 ~ /^%46?$/) { families = $0; part = 1; return }
	if (!part) { take_port(); return }
	if ($0 ~ /^1: lo: </) { part += part == 2 && families == "%4" ? 3 : 1; return }
	family = part <= 2 ? 4 : 6
	if (part == 1 || part == 3) take_address()
	else if (part == 2 || part == 4) take_route()
	else if (part == 5) { if ($3 != "*") add_to(P, nP, ($1 ~ /:/ ? 6 : 4) SUBSEP $3, $1) }
	else if (part == 6) take_neighbour()
}
function complete() { return part == 7 }
function take_port(w) {
	if (split($0, w, "/") != 7 || w[7] == "*") return
	master[w[7]] = w[5]
	add_to(portof, nports, w[5], w[7])
}
function take_address(dev, i, w, words, label, dynamic, tail) {
	tail = $0
	sub(/\\.*/, "")
	dev = $2
	sub(/@.*/, "", dev)
	words = $4
	for (i = 5; i <= NF; i++) {
		w = $i
		if (w == "scope" && family == 6 && $(i + 1) == "link") { linklocals[dev]++; return }
		if (w == "peer" || w == "brd" || w == "scope" || w == "metric") { words = words " " w " " $(++i) }
		else if (w == "proto") i++
		else if (w == "noprefixroute" || w == "home" || w == "autojoin") words = words " " w
		else if (w == "dynamic" || w == "temporary" || w == "mngtmpaddr") dynamic = 1
		else if (w == dev || index(w, dev ":") == 1) label = w
	}
	if (dynamic) { dyn[family, dev] = $4; return }
	if (tail ~ /valid_lft forever preferred_lft 0sec/) words = words " preferred_lft 0"
	if (label != "" && label != dev) words = words " label " label
	add_to(A, nA, family SUBSEP dev, words)
}
# What is said in other words than ip takes back is odd: it could not be said again, and would end a batch.
function take_route(i, w, dev, words, proto, special) {
	gsub(/\\/, " ")
	if ($1 ~ /^(local|broadcast|anycast|multicast|unreachable|blackhole|prohibit|throw|nat)$/) {
		# Those of a link are of the kernel, but for what a person has added.
		if (family == 4 && !/ proto kernel( |$)/ && match($0, / dev [^ ]+/)) odd[substr($0, RSTART + 5, RLENGTH - 5)] = $1
		return
	}
	words = $1 == "default" ? (family == 4 ? "0.0.0.0/0" : "::/0") : $1
	for (i = 2; i <= NF; i++) {
		w = $i
		if (w == "cache") return	# learnt from another route by a kernel of EL6, and gone again when it likes
		if (w == "dev") { dev = $(++i); if (special) odd[dev] = special }
		else if (w == "expires" || w == "error" || w == "users" || w == "used" || w == "age") i++
		else if (w == "pref" && $(i + 1) == "medium") i++
		else if (w == "hoplimit" && $(i + 1) ~ /^(0|4294967295)$/) i++	# so EL6 says that none is set
		else if (w ~ /^(linkdown|dead|pervasive|unresolved|(rt_)?(offload|trap|offload_failed))$/) continue
		else if (w == "onlink") words = words " " w
		else if (w in valued) {
			words = words " " w
			if (w == "rto_min" && $(i + 1) == "lock") i++	# said, always so, and not taken back
			if ($(i + 1) ~ /^(lock|inet6?)$/) words = words " " $(++i)
			words = words " " $(++i)
			if (w == "proto") proto = $i
			# A number is what this ip has no word for, and it takes none back.
			if (w == "features" && words !~ / features (ecn|tcp_usec_ts)$/) special = w
		} else if (!special) special = w
	}
	# Kernels before 3.x call what a router advertised their own.
	if (family == 6 && proto == "kernel" && words ~ / via /) proto = "ra"
	if (proto == "redirect" || words ~ /^(ff00::|fe80::\/64)/) return
	if (proto == "kernel" && is_brought(dev, words)) {
		if (family == 4 && words !~ / table /) { connected[++nconnected] = words; connected_on[nconnected] = dev }
		return
	}
	if (proto == "ra") { advertised[dev] = 1; return }
	if (special) { odd[dev] = special; return }
	add_to(R, nR, family SUBSEP dev, words)
}
# Whether the route comes with an address. NetworkManager has the kernel make none (noprefixroute), and gives what it makes
# itself the name of the kernel. For IPv6 only the metric tells: 256 unless the address says another (IP6_RT_PRIO_ADDRCONF).
function is_brought(dev, words, i, w, alone) {
	for (i = 1; i <= nA[family, dev]; i++) {
		w = A[family, dev, i]
		if (w ~ / noprefixroute( |$)/) { alone = 1; continue }
		if (family == 6 && metric(w) == metric(words)) return 1
		sub(/[ \/].*/, "", w)
		if (family == 4 && index(words " ", " src " w " ")) return 1
	}
	return !alone
}
function metric(words) { return match(words, / metric [0-9]+/) ? substr(words, RSTART + 8, RLENGTH - 8) : 256 }
function take_neighbour() {
	if ($4 != "lladdr" || / (FAILED|INCOMPLETE|NOARP)/) return
	add_to(N, nN, $3, $1 " lladdr " $5 " nud " ($0 ~ /PERMANENT/ ? "permanent" : "stale"))
}
function has_l3(dev) {
	return (dev in odd) || nA[4, dev] + nA[6, dev] + nR[4, dev] + nR[6, dev] + nP[4, dev] + nP[6, dev] > 0
}

# `ip addr del` wants the address, and the peer when there is one, not the rest.
function bare(words, w, n, i) {
	n = split(words, w, " ")
	for (i = 2; i < n; i++) if (w[i] == "peer") return w[1] " peer " w[i + 1]
	return w[1]
}

# --- one link as canonical lines: what a snapshot holds and what an end state is compared with ---

function settings(dev, list, n, i, v, out) {
	n = split(SETTINGS, list, " ")
	for (i = 1; i <= n; i++) {
		v = list[i]
		sub(/\/.*/, "/conf/" dev "&", v)
		v = rd("/proc/sys/net/" v)
		if (v != "") out = out " " list[i] "=" v
	}
	return out
}
# A bridge that nobody has given one has that of its ports, and none when the last has left: none can be set.
function hardware_address(dev) { return sys(dev, "address") == "00:00:00:00:00:00" ? "?" : sys(dev, "address") }
function canonical(dev, i, f, out) {
	if (!exists(dev)) return "absent " dev "\n"
	out = "link " dev " mac " hardware_address(dev) " mtu " (follows_ports && is_bridge(dev) ? "?" : sys(dev, "mtu")) " up " is_up(dev) \
		" master " (master[dev] == "" ? "-" : master[dev]) "\n"
	if (is_bridge(dev)) out = out "br " dev " stp " sys(dev, "bridge/stp_state") " fd " \
		sys(dev, "bridge/forward_delay") " vf " (sys(dev, "bridge/vlan_filtering") == "" ? "-" : \
		sys(dev, "bridge/vlan_filtering")) "\n"
	if (dev in vid) out = out "vlan " dev " base " base[dev] " vid " vid[dev] "\n"
	out = out "set " dev settings(dev) "\n"
	for (f = 4; f <= 6; f += 2) {
		for (i = 1; i <= nA[f, dev]; i++) out = out "addr" f " " dev " " A[f, dev, i] "\n"
		for (i = 1; i <= nR[f, dev]; i++) out = out "route" f " " dev " " R[f, dev, i] "\n"
		for (i = 1; i <= nP[f, dev]; i++) out = out "proxy" f " " dev " " P[f, dev, i] "\n"
	}
	return out
}
BEGIN {
	split("via from proto scope src metric table tos dsfield realm realms mtu advmss rtt rttvar window cwnd initcwnd initrwnd" \
		" ssthresh hoplimit reordering rto_min quickack congctl features pref fastopen_no_cookie", names, " ")
	for (i in names) valued[names[i]] = 1
	SETTINGS = "ipv4/rp_filter ipv4/arp_ignore ipv4/arp_announce ipv4/arp_filter ipv4/arp_notify ipv4/arp_accept" \
		" ipv4/proxy_arp ipv4/forwarding ipv4/send_redirects ipv4/accept_redirects ipv4/secure_redirects" \
		" ipv4/accept_source_route ipv4/log_martians ipv4/src_valid_mark ipv4/accept_local" \
		" ipv4/route_localnet ipv4/promote_secondaries ipv6/forwarding ipv6/proxy_ndp ipv6/accept_ra" \
		" ipv6/autoconf ipv6/accept_redirects ipv6/use_tempaddr ipv6/disable_ipv6"
	read_vlans()
	# Before 4.17 the MTU of a bridge is that of its smallest port, whatever it was set to (net/bridge, br_change_mtu).
	split(rd("/proc/sys/kernel/osrelease"), names, ".")
	follows_ports = names[1] + 0 < 4 || (names[1] + 0 == 4 && names[2] + 0 < 17)
}
