# From any half state back to a snapshot (mode=converge), or what differs from an expected end state (mode=verify; later on,
# mode=stands), or the snapshot with what others have done since (mode=since).
# Runs after look.awk. -v: target (file of canonical lines), mode, hard (rebuild addresses that are out of order),
# brctl. Prints commands in the order they must run, or differences; nothing at all when the states are equal.
# It never replays "undo" steps: it only compares, so it can be killed and run again at any point.

function read_target(line, w, dev) {
	while ((getline line < target) > 0) {
		split(line, w, " ")
		dev = w[2]
		if (!(dev in listed)) { listed[dev] = 1; order[++count] = dev }
		if (w[1] == "absent") absent[dev] = 1
		else if (w[1] == "still") still[dev] = 1
		else if (w[1] == "moved") owner[dev] = w[3]
		else if (w[1] == "link") { wmac[dev] = w[4]; wmtu[dev] = w[6]; wup[dev] = w[8]; wmaster[dev] = w[10] }
		else if (w[1] == "br") wbr[dev] = line
		else if (w[1] == "vlan") { wbase[dev] = w[4]; wvid[dev] = w[6] }
		else if (w[1] == "set") wset[dev] = line
		else if (w[1] == "port") wmaster[dev] = w[4]
		else if (w[1] ~ /^(addr|route|proxy)[46]$/)
			add_to(W, nW, substr(w[1], 1, length(w[1]) - 1) SUBSEP substr(w[1], length(w[1])) SUBSEP dev, \
				substr(line, length(w[1] " " dev) + 2))
	}
	close(target)
}
function seen_in(list, n, key, words, i) {
	for (i = 1; i <= n; i++) if (list[key, i] == words) return 1
	return 0
}
# Nothing that was there is missing.
function has_all(list, n, what, f, dev, i, key) {
	key = what SUBSEP f SUBSEP dev
	for (i = 1; i <= nW[key]; i++) if (!seen_in(list, n, f SUBSEP dev, W[key, i])) return 0
	return 1
}
# Proxied addresses come and go with host-routed containers: while a change waits, that is no difference.
function same_proxies(f, dev, i) {
	if (mode == "stands") return 1
	if (nP[f, dev] + 0 != nW["proxy", f, dev] + 0) return 0
	for (i = 1; i <= nP[f, dev]; i++)
		if (!seen_in(W, nW["proxy", f, dev], "proxy" SUBSEP f SUBSEP dev, P[f, dev, i])) return 0
	return 1
}
# Addresses compare in order, since order decides the source address; routes and proxies as sets. Where the plan does
# not touch them more than there were is no difference: an address that came meanwhile may be the only one there is.
function same_l3(dev, f, i) {
	if (dev in still) {
		for (f = 4; f <= 6; f += 2)
			if (!has_all(A, nA[f, dev], "addr", f, dev) || !has_all(R, nR[f, dev], "route", f, dev)) return 0
		return 1
	}
	for (f = 4; f <= 6; f += 2) {
		if (nA[f, dev] + 0 != nW["addr", f, dev] + 0 || !same_proxies(f, dev)) return 0
		if (nR[f, dev] + 0 != nW["route", f, dev] + 0) return 0
		for (i = 1; i <= nA[f, dev]; i++) if (A[f, dev, i] != W["addr", f, dev, i]) return 0
		for (i = 1; i <= nR[f, dev]; i++)
			if (!seen_in(W, nW["route", f, dev], "route" SUBSEP f SUBSEP dev, R[f, dev, i])) return 0
	}
	return 1
}
function now_master(dev) { return master[dev] == "" ? "-" : master[dev] }
function differs(want, now) { return want != "?" && want != now }
function is_port_only(dev) { return !(dev in wmac) }

# --- verify ---

function say_difference(dev, what, want, now) { print "differs " dev " " what " want [" want "] now [" now "]"; bad = 1 }
function verify(i, dev, w) {
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if (dev in absent) { if (exists(dev)) say_difference(dev, "link", "absent", "present"); continue }
		# A guest may stop at any time; its interface going away is no fault of ours.
		if (is_port_only(dev)) {
			if (exists(dev) && differs(wmaster[dev], now_master(dev)))
				say_difference(dev, "bridge", wmaster[dev], now_master(dev))
			continue
		}
		if (!exists(dev)) { say_difference(dev, "link", "present", "absent"); continue }
		if (differs(wmac[dev], sys(dev, "address"))) say_difference(dev, "mac", wmac[dev], sys(dev, "address"))
		if (differs(wmtu[dev], sys(dev, "mtu"))) say_difference(dev, "mtu", wmtu[dev], sys(dev, "mtu"))
		if (wup[dev] == 1 && !is_up(dev)) say_difference(dev, "up", 1, 0)
		if (differs(wmaster[dev], now_master(dev)))
			say_difference(dev, "bridge", wmaster[dev], now_master(dev))
		if (dev in wbr && (sys(dev, "bridge/stp_state") != 0 || sys(dev, "bridge/forward_delay") != 0))
			say_difference(dev, "stp and forward delay", "0", "more")
		if (!same_l3(dev)) say_difference(dev, "addresses, routes or proxies", "those planned", "others")
	}
}

# --- converge ---

function ip(words) { print "ip " words }
function write(path, value) { print "echo " value " >" path }
function to_bridge(dev, br) {
	if (br == "-") print brctl ? "brctl delif " master[dev] " " dev : "ip link set dev " dev " nomaster"
	else if (!brctl) ip("link set dev " dev " master " br)
	else {
		if (master[dev] != "") print "brctl delif " master[dev] " " dev
		print "brctl addif " br " " dev
	}
	master[dev] = br == "-" ? "" : br
}
function conf(dev, key) { sub(/\//, "/conf/" dev "/", key); return "/proc/sys/net/" key }
function settings_back(dev, early, n, i, kv, list) {
	n = split(wset[dev], list, " ")
	for (i = 3; i <= n; i++) {
		split(list[i], kv, "=")
		if ((kv[1] == "ipv6/disable_ipv6" && kv[2] == 0) != early) continue
		if (rd(conf(dev, kv[1])) != kv[2]) write(conf(dev, kv[1]), kv[2])
	}
}
function bring_back_links(i, dev) {
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if ((dev in absent) || is_port_only(dev) || exists(dev)) continue
		if (dev in wbr) print brctl ? "brctl addbr " dev : "ip link add name " dev " type bridge"
		else if (dev in wbase) ip("link add link " wbase[dev] " name " dev " type vlan id " wvid[dev])
		else { lost[dev] = 1; continue }	# hardware that went away cannot be brought back
		born[dev] = 1
		if (wmac[dev] != "?") ip("link set dev " dev " address " wmac[dev])
		if (wup[dev]) ip("link set dev " dev " up")
	}
}
function addresses_back(dev, f, i, key, rebuild) {
	for (f = 4; f <= 6; f += 2) {
		key = "addr" SUBSEP f SUBSEP dev
		rebuild = 0
		for (i = 1; hard && i <= nW[key] || i <= nA[f, dev]; i++) if (A[f, dev, i] != W[key, i]) rebuild = hard
		if (dev in still) rebuild = 0
		if (rebuild) for (i = nA[f, dev]; i >= 1; i--) ip("addr del " bare(A[f, dev, i]) " dev " dev)
		if (f == 4) {
			for (i = 1; i <= nW[key]; i++) if (rebuild || !seen_in(A, nA[f, dev], f SUBSEP dev, W[key, i]))
				ip("addr add " W[key, i] " dev " dev)
		} else for (i = nW[key]; i >= 1; i--) if (rebuild || !seen_in(A, nA[f, dev], f SUBSEP dev, W[key, i]))
			ip("addr add " W[key, i] " dev " dev " nodad")
	}
}
function routes_back(dev, f, i, pass, key) {
	for (f = 4; f <= 6; f += 2) for (pass = 0; pass <= 1; pass++) {
		key = "route" SUBSEP f SUBSEP dev
		for (i = 1; i <= nW[key]; i++) if ((W[key, i] ~ / via /) == pass) ip("route replace " W[key, i] " dev " dev)
	}
	for (f = 4; f <= 6; f += 2) {
		key = "proxy" SUBSEP f SUBSEP dev
		# Of a link that is not moved they went with their containers, unless its addresses went as well.
		if ((dev in still) && has_all(A, nA[f, dev], "addr", f, dev)) continue
		for (i = 1; i <= nW[key]; i++) ip("neigh replace proxy " W[key, i] " dev " dev)
	}
}
function extras_away(dev, f, i, key) {
	for (f = 4; f <= 6; f += 2) {
		key = f SUBSEP dev
		for (i = 1; i <= nP[key]; i++) if (!seen_in(W, nW["proxy", f, dev], "proxy" SUBSEP key, P[key, i]))
			ip("neigh del proxy " P[key, i] " dev " dev)
		for (i = 1; i <= nR[key]; i++) if (!seen_in(W, nW["route", f, dev], "route" SUBSEP key, R[key, i]))
			ip("route del " R[key, i] " dev " dev)
		for (i = nA[key]; i >= 1; i--) if (!seen_in(W, nW["addr", f, dev], "addr" SUBSEP key, A[key, i]))
			ip("addr del " bare(A[key, i]) " dev " dev)
	}
}
function link_back(dev) {
	if (wmac[dev] != "?" && (born[dev] || sys(dev, "address") != wmac[dev]))
		ip("link set dev " dev " address " wmac[dev])
	if (wmtu[dev] != "?" && (born[dev] || sys(dev, "mtu") != wmtu[dev])) ip("link set dev " dev " mtu " wmtu[dev])
	if (wup[dev] && !is_up(dev)) ip("link set dev " dev " up")
}
function bridge_back(dev, w, path) {
	split(wbr[dev], w, " ")
	path = "/sys/class/net/" dev "/bridge/"
	if (born[dev] || sys(dev, "bridge/stp_state") != w[4]) write(path "stp_state", w[4])
	if (born[dev] || sys(dev, "bridge/forward_delay") != w[6]) write(path "forward_delay", w[6])
	if (w[8] != "-" && (born[dev] || sys(dev, "bridge/vlan_filtering") != w[8])) write(path "vlan_filtering", w[8])
}
# What did not exist goes again. A guest that joined meanwhile is let go, never deleted.
function newcomers_away(i, j, dev, p) {
	for (i = count; i >= 1; i--) {
		dev = order[i]
		if (!(dev in absent) || !exists(dev)) continue
		for (j = 1; j <= nports[dev]; j++) {
			p = portof[dev, j]
			if (master[p] == dev) to_bridge(p, "-")
		}
		if (brctl && is_bridge(dev)) { ip("link set dev " dev " down"); print "brctl delbr " dev }
		else ip("link del dev " dev)
	}
}
function converge(i, j, dev, l3, was, to) {
	for (i = 1; i <= count; i++) if (!(order[i] in absent)) settings_back(order[i], 1)
	bring_back_links()
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if ((dev in absent) || (dev in lost) || is_port_only(dev)) continue
		if (!same_l3(dev)) { l3 = 1; addresses_back(dev) }
	}
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if ((dev in absent) || (dev in lost) || (!exists(dev) && !born[dev])) continue
		was = master[dev]
		if (wmaster[dev] != now_master(dev)) to_bridge(dev, wmaster[dev])
		if (is_port_only(dev)) continue
		link_back(dev)
		if (l3) routes_back(dev)
		if (was == master[dev]) continue
		if (was != "") for (j = 1; j <= nN[was]; j++) ip("neigh replace " N[was, j] " dev " dev)
		# The other way round: its layer 3 goes back to the bridge.
		to = master[dev]
		if (nW["addr", 4, to] + nW["addr", 6, to] > 0) for (j = 1; j <= nN[dev]; j++)
			ip("neigh replace " N[dev, j] " dev " to)
	}
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if ((dev in absent) || (dev in lost) || (dev in still) || is_port_only(dev)) continue
		extras_away(dev)
	}
	newcomers_away()
	for (i = 1; i <= count; i++) {
		dev = order[i]
		if ((dev in absent) || (dev in lost) || is_port_only(dev)) continue
		if (dev in wbr) bridge_back(dev)
		settings_back(dev, 0)
		if (!wup[dev] && is_up(dev)) ip("link set dev " dev " down")
	}
}
# --- since ---

# A change that waited goes back: addresses proxied for host-routed containers that came or went meanwhile do so in its
# snapshot too. Where the new owner has no addresses any more the kernel has forgotten them, and those of the snapshot count.
function print_since(line, w, dev, f) {
	while ((getline line < target) > 0) {
		split(line, w, " ")
		if (w[1] ~ /^proxy[46]$/ && (w[2] in owner) && carries(owner[w[2]], substr(w[1], 6))) continue
		if (line == "end") for (dev in owner) for (f = 4; f <= 6; f += 2) if (carries(owner[dev], f)) print_proxies(f, dev, owner[dev])
		print line
	}
}
function carries(dev, f) { return is_up(dev) && nA[f, dev] > 0 }
function print_proxies(f, from, to, i) {
	for (i = 1; i <= nP[f, to]; i++) if (!seen_in(W, nW["proxy", f, to], "proxy" SUBSEP f SUBSEP to, P[f, to, i]))
		print "proxy" f, from, P[f, to, i]
	for (i = 1; i <= nP[f, from]; i++) if (!seen_in(P, nP[f, to], f SUBSEP to, P[f, from, i])) print "proxy" f, from, P[f, from, i]
}
{ take() }
END {
	if (!complete()) { print "error ip did not answer in full"; exit 74 }
	read_target()
	if (mode == "converge") converge()
	else if (mode == "since") print_since()
	else verify()
	exit bad ? 1 : 0
}
