# From a plan and what the kernel has now to the exact commands, with warnings and refusals.
# Runs after look.awk and plan.awk. -v: txid; committed, followed, errands (files); dir (where files go); brctl (1: `ip`
# cannot do bridges). A step changes the model as it goes, so that the next step starts where this one ends: two bridges can
# swap their adapters in one plan.

function note(kind, code, text) {
	if (!((kind, code, text) in noted)) notes = notes kind " " code " " text "\n"
	noted[kind, code, text] = 1
}
function refuse(code, text) { note("refuse", code, text); refused = 1 }
function warn(code, text) { note("warn", code, text) }
function prologue(words) { pro = pro "prologue " words "\n" }
function set_before(path, value) { pro_set = pro_set "prologue echo " value " >" path "\n" }
function set_after(path, value) { epi = epi "epilogue echo " value " >" path "\n" }
function critical(words) { crit = crit "critical " words "\n" }
function epilogue(words) { epi = epi "epilogue " words "\n" }

# --- the model ---

# From here on dev may be changed: its present state goes into the snapshot.
function touch(dev, i) {
	if (dev in touched) return
	touched[dev] = ++ntouched
	order[ntouched] = dev
	printf "%s", canonical(dev) >(dir "/snap")
	if (!exists(dev)) return
	here[dev] = 1
	mac[dev] = sys(dev, "address")
	mtu[dev] = sys(dev, "mtu")
	up[dev] = is_up(dev)
	if (is_bridge(dev)) bridge[dev] = 1
}
function add_port(dev, br) { master[dev] = br; add_to(portof, nports, br, dev) }
function ours(br, dev) { return (br in was_bridge) && was_bridge[br] == dev && !was_adopted[br] }
# A port is an adapter when hardware, a tag or a bond says so, or when we put it there as one.
function is_adapter(dev) {
	return sys(dev, "device/uevent") != "" || (dev in vid) || sys(dev, "bonding/mode") != "" || (dev in was_adapter)
}
# The server itself lives on dev, or on what is stacked on it: VLANs, their bridges, VLANs on those. Whoever moves it
# may lose the server.
function carries_us(dev, depth, v) {
	if (has_l3(dev) || is_given(dev)) return 1
	if (depth > 5) return 0
	for (v in vid) if (base[v] == dev && (carries_us(v, depth + 1) || \
		(master[v] != "" && carries_us(master[v], depth + 1)))) return 1
	return 0
}
function risk(dev) { if (carries_us(dev)) guarded = 1 }

# --- words that differ between iproute2 and brctl ---

function enslave(dev, br) {
	critical(brctl ? "brctl addif " br " " dev : "ip link set dev " dev " master " br)
	add_port(dev, br)
}
function set_free(dev) {
	critical(brctl ? "brctl delif " master[dev] " " dev : "ip link set dev " dev " nomaster")
	master[dev] = ""
}
function make_bridge(br) {
	prologue(brctl ? "brctl addbr " br : "ip link add name " br " type bridge")
	here[br] = bridge[br] = fresh[br] = 1
	mtu[br] = 1500
	mac[br] = "?"
}
# A link that comes up brings its routes with it, which may lead elsewhere than those in use.
function raise(dev) {
	if (up[dev]) return
	risk(dev)
	critical("ip link set dev " dev " up")
	up[dev] = 1
}

# --- moving layer 3 ---

function renamed_label(words, from, to, w) {
	if (!match(words, / label [^ ]*/)) return words
	w = substr(words, RSTART + 7, RLENGTH - 7)
	if (index(w, from ":") == 1) w = to substr(w, length(from) + 1)
	if (length(w) > 15) refuse("label", "the address label " w " would be longer than 15 characters: shorten it")
	return substr(words, 1, RSTART - 1) " label " w substr(words, RSTART + RLENGTH)
}
# All addresses, routes of every table and proxied neighbours of `from` become those of `to`, with the link change
# in between. The order is the point:
# - the new owner has the addresses before the old one loses them, so none ever disappears; with rp_filter 1 it
#   receives only when the old one has lost them: hence IPv4 is finished before IPv6 is begun, and what was learnt
#   of neighbours, which can be much, goes before the link change;
# - deleting the last IPv4 address takes all routes and all proxied neighbours of the link with it, without a
#   word: routes have moved by then, and the proxies are deleted before, or their own deletion would fail;
# - deleting a primary takes its secondaries: hence in reverse;
# - IPv6 lists the newest address first and prefers it as source: hence added in reverse;
# - nodad: on a bridge that has no carrier yet, detection would not end.
function move_l3(from, to, change, i) {
	if (nA[4, to] + nA[6, to] > 0)
		refuse("two-owners", "both " from " and " to " carry addresses of the server: leave them on one of the two")
	check_l3(from)
	moved[from] = moved[to] = 1
	owner[to] = (from in owner) ? owner[from] : from
	delete owner[from]
	for (i = 1; i <= nA[4, from]; i++) {
		A[4, to, i] = renamed_label(A[4, from, i], from, to)
		critical("ip addr add " A[4, to, i] " dev " to)
	}
	for (i = nA[6, from]; i >= 1; i--) {
		A[6, to, i] = A[6, from, i]
		critical("ip addr add " A[6, to, i] " dev " to " nodad")
	}
	critical("# what " from " has learnt of its neighbours goes to " to)
	for (i = 1; i <= nN[from]; i++) print from, to, N[from, i] >(dir "/neighbours")
	if (change == "enslave") enslave(from, to)
	if (change == "release") set_free(to)
	move_family(4, from, to)
	move_family(6, from, to)
	for (i = 1; i <= nN[from]; i++) add_to(N, nN, to, N[from, i])
}
function move_family(f, from, to, i, pass, words) {
	# 0.0.0.0/0 and ::/0 stand for "default": one batch holds both families and a bare default would mean IPv4.
	for (pass = 0; pass <= 1; pass++) for (i = 1; i <= nR[f, from]; i++) {
		words = R[f, from, i]
		if ((words ~ / via /) != pass) continue
		critical("ip route replace " words " dev " to)
		add_to(R, nR, f SUBSEP to, words)
		if (words ~ /^(0\.0\.0\.0|::)\/0 via / && words !~ / table /) gateway(f, words, from, to)
	}
	for (i = 1; i <= nP[f, from]; i++) {
		critical("ip neigh replace proxy " P[f, from, i] " dev " to)
		add_to(P, nP, f SUBSEP to, P[f, from, i])
	}
	for (i = 1; i <= nP[f, from]; i++) critical("ip neigh del proxy " P[f, from, i] " dev " from)
	for (i = nA[f, from]; i >= 1; i--) critical("ip addr del " bare(A[f, from, i]) " dev " from)
	nA[f, to] = nA[f, from]
	nA[f, from] = nR[f, from] = nP[f, from] = 0
}
# A default gateway that is known now must answer again afterwards.
function gateway(f, words, from, to, w, i) {
	split(words, w, " ")
	for (i = 1; i <= nN[from]; i++)
		if (index(N[from, i], w[3] " lladdr ") == 1) gateways[f " " w[3]] = to
}

# --- preflight ---

function check_adapter(dev, v, mode) {
	if (sys(dev, "type") != 1) refuse("not-ethernet", dev " is not an Ethernet adapter: only those can be bridged")
	if (sys(dev, "uevent") ~ /wlan/) refuse("wireless", dev " is a wireless adapter: those cannot be bridged")
	if (is_slave(dev)) refuse("bond-slave", dev " is part of a bond: assign the bond instead")
	else check_part(dev)
	mode = sys(dev, "bonding/mode")
	if (mode ~ / [056]$/)
		refuse("bond-mode", dev " is a bond in mode " mode ", which does not work in a bridge: use modes 1 to 4")
	if (is_bridge(dev)) refuse("bridge-in-bridge", dev " is itself a bridge")
	check_manager(dev)
	for (v in vid) if (base[v] == dev && unfiltered)
		warn("tag-leak", "this kernel cannot filter tags: containers on " dev " can see and send frames of its VLANs")
}
# Its addresses or routes come from others, who do not give them to a bridge.
function is_given(dev) { return ((4, dev) in dyn) || ((6, dev) in dyn) || advertised[dev] }
# Layer 3 that cannot be moved as it is seen.
function check_l3(dev, static, f, i) {
	static = ": configure it statically"
	for (f = 4; f <= 6; f += 2) for (i = 1; i <= nR[f, dev]; i++) check_twice(f, dev, R[f, dev, i])
	# At boot it was so when it was decided.
	if (txid != "boot") check_subnet(dev)
	check_part(dev)
	# Its own is made of its hardware address; nobody can tell which of several that is. A bridge of ours may have two.
	if (linklocals[dev] > 1 && !(dev in was_bridge))
		refuse("link-local", dev " has several addresses of fe80::/64, and only one would go along: remove the other")
	if ((4, dev) in dyn) refuse("dhcp", dev " has the dynamic address " dyn[4, dev] static ", its lease is bound to " dev)
	if ((6, dev) in dyn)
		refuse("slaac", dev " has " dyn[6, dev] " from router advertisements" static " and set accept_ra to 0")
	if (advertised[dev])
		refuse("ra-route", dev " has routes from router advertisements" static " and set accept_ra to 0")
	if (dev in odd)
		refuse("route-" spelled(odd[dev]), "a route over " dev " uses " odd[dev] ": replace it by plain routes first")
	print dev >(dir "/moving")
}
# In the letters that a code may have (answers.py).
function spelled(word) { gsub(/[^a-z0-9]/, "-", word); return substr(word, 1, 24) }
# `ip route replace` takes the first route with that destination, tos, metric and table, whatever link it leads over.
function check_twice(f, dev, words, k, i, w, identity) {
	identity = route_identity(words)
	for (k in nR) {
		split(k, w, SUBSEP)
		if (w[1] != f) continue
		for (i = 1; i <= nR[k]; i++) if (R[k, i] != words || w[2] != dev) if (route_identity(R[k, i]) == identity)
			refuse("route-twice", "there are two routes to " identity ", over " dev " and " w[2] ": give one another metric")
	}
}
function route_identity(words, w, n, i, out) {
	n = split(words, w, " ")
	out = w[1]
	for (i = 2; i < n; i++) if (w[i] ~ /^(tos|dsfield|metric|table)$/) out = out " " w[i] " " w[i + 1]
	return out
}
# Of two links in one subnet the one whose route came first is used, and a move makes its the last; with a strict rp_filter
# the other one is deaf. One that is not the first is used no less afterwards.
function check_subnet(dev, i, net, first) {
	for (i = 1; i <= nconnected; i++) {
		net = route_identity(connected[i])
		if (!(net in first)) first[net] = connected_on[i]
		else if (first[net] == dev && connected_on[i] != dev)
			refuse("same-subnet", dev " and " connected_on[i] " both have addresses of " net ", and the server would use the" \
				" other one afterwards: leave them on one of the two, or give one of the addresses a metric")
	}
}
# What has another master than a bridge would be taken out of it without a word, and rolled back it would be in none.
function check_part(dev, path, line, name) {
	if (sys(dev, "brport/state") != "") return
	path = "/sys/class/net/" dev "/master/uevent"
	while ((getline line < path) > 0) if (sub(/^INTERFACE=/, "", line)) name = line
	close(path)
	if (name != "") refuse("part-of-another", dev " is part of " name ", a team, a VRF or the like: take it out of that first")
}
# NetworkManager and networkd take back what they manage, at once or at the next carrier change.
function check_manager(dev, line, path) {
	path = "/run/NetworkManager/devices/" sys(dev, "ifindex")
	while ((getline line < path) > 0) if (line ~ /^managed=(true|full)/)
		refuse("networkmanager", "NetworkManager manages " dev ": run nmcli device set " dev " managed no, for good")
	close(path)
	# Before 1.4 it leaves no such files; what its own tool says is here then (see compose).
	path = dir "/nmcli"
	while ((getline line < path) > 0)
		if (index(line, dev ":") == 1 && substr(line, length(dev) + 2) !~ /^(unmanaged|connected \(externally\)|$)/) {
			line = "NetworkManager manages " dev ": set NM_CONTROLLED=no for it and restart NetworkManager"
			# What was committed when nobody asked it is no reason to be without a network at boot.
			if (dev in was_adapter) warn("networkmanager", line)
			else refuse("networkmanager", line)
		}
	close(path)
	path = "/run/systemd/netif/links/" sys(dev, "ifindex")
	while ((getline line < path) > 0) if (line ~ /^ADMIN_STATE=(configured|configuring|pending)/)
		refuse("networkd", "systemd-networkd manages " dev ": set Unmanaged=yes for it first")
	close(path)
}
function check_port(dev, f) {
	if (sys(dev, "type") != 1 || is_adapter(dev) || is_bridge(dev) || is_slave(dev))
		refuse("not-a-container", dev " is not a container interface")
	check_part(dev)
	for (f = 4; f <= 6; f += 2) if (nA[f, dev] + 0 > 0)
		refuse("not-a-container", dev " carries an address of the server")
}
# What somebody has set a port to in a bridge of theirs, a rollback could not set it to again.
function check_leaving(dev, br, list, n, i, kv, set) {
	n = split("isolated=0 hairpin_mode=0 learning=1 unicast_flood=1 multicast_flood=1 broadcast_flood=1 bpdu_guard=0" \
		" root_block=0 proxyarp=0 neigh_suppress=0", list, " ")
	for (i = 1; i <= n; i++) {
		split(list[i], kv, "=")
		if (sys(dev, "brport/" kv[1]) !~ "^" kv[2] "?$") set = set " " kv[1]
	}
	if (has_vlans(dev, br)) set = set " VLANs"
	if (set != "") refuse("port-settings", dev " has settings of its own in the bridge " br " (" substr(set, 2) \
		"), which it would not have again if this is taken back: take it out of there first")
}
# They are in no file, and only a bridge that filters tags heeds them. Where bridge(8) cannot be asked, it may have some.
function has_vlans(dev, br, command, line, words) {
	if (sys(br, "bridge/vlan_filtering") != 1) return 0
	command = "bridge vlan show dev " dev " 2>/dev/null"
	while ((command | getline line) > 0) if (line !~ /^port/) words = words " " line
	close(command)
	gsub(/[ \t]+/, " ", words)
	sub(/ $/, "", words)
	return words != " " dev " " sys(br, "bridge/default_pvid") " PVID Egress Untagged"
}

# --- steps ---

function step_vlan(dev, on, id, v) {
	if (!here[on] && !exists(on)) return refuse("missing-adapter", on " is not there")
	touch(on); touch(dev)
	for (v in vid) if (v != dev && base[v] == on && vid[v] == id)
		return refuse("vlan-exists", "VLAN " id " on " on " exists already as " v)
	if (on in vid) return refuse("vlan-of-vlan", on " is itself a VLAN adapter")
	if (here[dev] && !((dev in vid) && base[dev] == on && vid[dev] == id))
		return refuse("name-taken", dev " exists and is not VLAN " id " on " on)
	raise(on)
	if (!here[dev]) {
		prologue("ip link add link " on " name " dev " type vlan id " id)
		here[dev] = fresh[dev] = 1
		mac[dev] = mac[on]; mtu[dev] = mtu[on]; base[dev] = on; vid[dev] = id
	}
	raise(dev)
}
function step_bridge(br, dev, i, p) {
	touch(br)
	if (here[br] && !bridge[br]) return refuse("name-taken", br " exists and is not a bridge")
	if (!here[br]) make_bridge(br)
	plain(br)
	for (i = 1; i <= nports[br]; i++) {
		p = portof[br, i]
		if (master[p] != br || p == dev || !is_adapter(p)) continue
		if (!ours(br, p)) return refuse("foreign-port", br " holds " p ", which this panel did not put there")
		release(br, p)
	}
	managed[br] = dev
	if (dev == "-") { raise(br); return }
	if (!here[dev] && !exists(dev)) return refuse("missing-adapter", dev " is not there")
	if ((dev in decided) && decided[dev] != base[dev] " " vid[dev])
		return refuse("other-vlan", dev " is another VLAN adapter than the one decided on: delete it, and it is made anew")
	touch(dev)
	touch_vlans(dev)
	if (!fresh[dev]) check_adapter(dev)
	# What our own VLAN adapters are given by routers that they hear is not theirs to use.
	if (is_given(dev) && !has_l3(dev) && !((dev in our_vlan) && !((4, dev) in dyn))) check_l3(dev)
	if (master[dev] != "" && master[dev] != br) {
		if (!ours(master[dev], dev))
			return refuse("in-other-bridge", dev " is in the bridge " master[dev] ": adopt that one, or take it out")
		release(master[dev], dev)
	}
	if (master[dev] != br || has_l3(dev) || mac[br] != mac[dev] || (mtu[br] != mtu[dev] && !follows_ports) || is_unpinned(br)) {
		risk(dev); risk(br)
		pin(br, dev)
	}
	# Frames of a VLAN we made belong to its bridge: the server itself says nothing there.
	if ((dev in our_vlan) && !has_l3(dev) && rd(conf(dev, "ipv6/disable_ipv6")) != 1)
		set_before(conf(dev, "ipv6/disable_ipv6"), 1)
	raise(dev); raise(br)
	if (has_l3(dev)) move_l3(dev, br, master[dev] == br ? "" : "enslave")
	else if (master[dev] != br) enslave(dev, br)
}
function touch_vlans(dev, v) { for (v in vid) if (base[v] == dev) touch(v) }
# A bridge takes the lowest address of its ports, and their smallest MTU, unless someone has set them; peers would
# keep the former address in their tables whenever a container starts or stops. Setting the MTU it already has is
# no change and pins nothing, hence the detour over one less. Before 4.17 the MTU cannot be pinned, nor set above 1500
# while there is no port (br_change_mtu): there it is left to the kernel.
function pin(br, dev) {
	if (mac[br] != mac[dev] || is_unpinned(br))
		prologue("ip link set dev " br " address " mac[dev])
	mac[br] = mac[dev]
	if (follows_ports) mtu[br] = mtu[dev]
	else if (fresh[br] || mtu[br] != mtu[dev]) {
		prologue("ip link set dev " br " mtu " (mtu[dev] - 1))
		prologue("ip link set dev " br " mtu " mtu[dev])
		mtu[br] = mtu[dev]
	}
}
# A bridge whose adapter has left keeps the address it had from it. The server goes on speaking with that address
# elsewhere; where a container joins that network to this bridge, the bridge would keep all answers for itself.
function own_address(br, n) {
	n = sys(br, "ifindex")
	if (fresh[br] || is_unpinned(br) || !(left[br] || had_adapter(br))) return
	epilogue(sprintf("ip link set dev %s address 02:76:6e:%02x:%02x:%02x", br, int(n / 65536) % 256, int(n / 256) % 256, n % 256))
}
function had_adapter(br) { return (br in was_bridge) && was_bridge[br] != "-" }
function is_unpinned(br) { return sys(br, "addr_assign_type") ~ /[01]/ }
# STP or a forward delay would keep the port silent for 30 seconds: off, before any port joins.
function plain(br, path) {
	path = "/sys/class/net/" br "/bridge/"
	if (fresh[br] || sys(br, "bridge/stp_state") != 0) set_before(path "stp_state", 0)
	if (fresh[br] || sys(br, "bridge/forward_delay") != 0) set_before(path "forward_delay", 0)
	# Untagged only: a VLAN adapter on the same NIC takes its frames before the bridge sees them.
	# Whoever has switched that off may have VLANs on the bridge.
	if (fresh[br] || lets_tags_through(br)) set_before(path "vlan_filtering", 1)
	if (sys(br, "bridge/stp_state") + sys(br, "bridge/forward_delay") > 0 || lets_tags_through(br)) risk(br)
}
function lets_tags_through(br) {
	return sys(br, "bridge/vlan_filtering") == "0" && sys(br, "bridge/default_pvid") != ""
}
function release(br, dev) {
	touch(br); touch(dev); touch_vlans(dev)
	risk(br); risk(dev)
	left[br] = 1
	if (has_l3(br)) { raise(dev); move_l3(br, dev, "release") }
	else set_free(dev)
}
function step_adopt(br, dev) {
	if (!is_bridge(br) || master[dev] != br) refuse("adopt-differs", br " is not a bridge that holds " dev)
}
function step_port(dev, br, p) {
	if (!exists(dev)) return warn("port-absent", dev " is not there: it joins when its container starts")
	check_port(dev)
	if (br != "-" && !bridge[br] && !is_bridge(br)) return refuse("missing-bridge", br " is not a bridge")
	if ((br == "-" && master[dev] == "") || master[dev] == br) return
	if (br != "-" && (p = on_other_vlan(br)) != "")
		return refuse("other-vlan", br " holds " p ", another VLAN adapter than the one decided on: delete that, and it is made anew")
	if (master[dev] != "" && (!(master[dev] in was_bridge) || was_adopted[master[dev]])) check_leaving(dev, master[dev])
	print "port " dev " master " (master[dev] == "" ? "-" : master[dev]) >(dir "/snap")
	want_port[dev] = br
	if (br != "-" && master[dev] != "" && !(master[dev] in was_bridge))
		warn("leaves-unmanaged", dev " leaves the bridge " master[dev] ", which this panel does not manage")
	if (br != "-" && mtu[br] + 0 > sys(dev, "mtu") + 0)
		warn("mtu", dev " has MTU " sys(dev, "mtu") " and " br " has " mtu[br] ": large packets to it will be lost")
	if (br == "-") set_free(dev)
	else {
		if (brctl && master[dev] != "") set_free(dev)
		enslave(dev, br)
		if (!is_up(dev)) critical("ip link set dev " dev " up")
	}
}
# A port of br that is another VLAN adapter by now than the one decided on; "": none
function on_other_vlan(br, i, p) {
	for (i = 1; i <= nports[br]; i++) {
		p = portof[br, i]
		if (master[p] == br && (p in decided) && decided[p] != base[p] " " vid[p]) return p
	}
	return ""
}
function step_rmbridge(br, dev, i, p) {
	if (!exists(br)) return
	if (!is_bridge(br)) return refuse("not-a-bridge", br " is not a bridge")
	touch(br)
	managed[br] = "-"
	dropped[br] = 1
	for (i = 1; i <= nports[br]; i++) {
		p = portof[br, i]
		if (master[p] != br) continue
		if (p == dev || ours(br, p)) release(br, p)
		else if (is_adapter(p)) return refuse("foreign-port", br " holds " p ", which this panel did not put there")
		else { print "port " p " master " br >(dir "/snap"); want_port[p] = "-"; set_free(p) }
	}
	if (has_l3(br))
		refuse("bridge-has-addresses", br " carries addresses of the server and has no adapter to take them")
}
# The kernel unregisters what is stacked on a VLAN with it, addresses and all (vlan_device_event, net/8021q/vlan.c).
function step_rmvlan(dev, v) {
	if (!exists(dev)) return
	if (!(dev in vid)) return refuse("not-a-vlan", dev " is not a VLAN adapter")
	touch(dev)
	if (has_l3(dev)) return refuse("vlan-in-use", dev " carries addresses or routes of the server")
	if (master[dev] != "") return refuse("vlan-in-use", dev " is in the bridge " master[dev])
	check_part(dev)
	for (v in vid) if (base[v] == dev && !(v in gone))
		return refuse("vlan-in-use", v " stands on " dev ", which would take it away: delete it first")
	epilogue("ip link del dev " dev)
	gone[dev] = 1
}

# --- what a bridge with and without layer 3 is set to ---

function conf(dev, key, value) { value = key; sub(/\//, "/conf/" dev "/", value); return "/proc/sys/net/" value }
# The server must not be reachable over a bridge that carries none of its addresses. arp_ignore 8 stops it answering
# for its other addresses, rp_filter 1 drops what is sent to them all the same (nothing is routed back that way),
# and without IPv6 there is no fe80:: to talk to.
function isolate(br, n, i, kv, list, now) {
	n = split("ipv6/disable_ipv6=1 ipv4/arp_ignore=8 ipv4/rp_filter=1 ipv4/forwarding=0 ipv4/proxy_arp=0", list, " ")
	for (i = 1; i <= n; i++) {
		split(list[i], kv, "=")
		now = fresh[br] ? "" : rd(conf(br, kv[1]))
		if (now == kv[2] || (!fresh[br] && now == "")) continue
		if (left[br]) set_after(conf(br, kv[1]), kv[2])
		else set_before(conf(br, kv[1]), kv[2])
	}
}
# The new owner of layer 3 behaves as the old one did. A new link starts from conf/default.
function copy_settings(from, to, n, i, list, now, v) {
	n = split(SETTINGS, list, " ")
	for (i = 1; i <= n; i++) {
		v = rd(conf(from, list[i]))
		# Who is configured by a router was refused: only a container could send what it listens for now.
		if (list[i] == "ipv6/accept_ra" && v != "") v = 0
		now = rd(conf(fresh[to] ? "default" : to, list[i]))
		if (v != "" && v != now) set_before(conf(to, list[i]), v)
	}
	# Its fe80:: is that of its adapter, which nobody else has. While it were checked for duplicates, a second long,
	# the kernel would ask for no IPv6 neighbour on behalf of host-routed containers.
	now = rd(conf(fresh[to] ? "default" : to, "ipv6/accept_dad"))
	if (now == "" || now == 0) return
	set_before(conf(to, "ipv6/accept_dad"), 0)
	set_after(conf(to, "ipv6/accept_dad"), now)
}
function finish_bridges(i, br) {
	for (i = 1; i <= ntouched; i++) {
		br = order[i]
		if (!(br in managed)) continue
		if (!has_l3(br)) {
			isolate(br)
			if (managed[br] == "-" && !(br in dropped)) own_address(br)
		} else if ((br in moved) && managed[br] != "-") copy_settings(managed[br], br)
	}
}

# --- files ---

function read_committed(line, w) {
	while ((getline line < committed) > 0) {
		split(line, w, " ")
		if (w[1] == "txid") former = w[2]
		if (w[1] == "keep" && w[2] == "vlan") our_vlan[w[3]] = 1
		if (w[1] == "keep" && w[2] != "vlan") {
			was_bridge[w[3]] = w[4]
			was_adopted[w[3]] = (w[2] == "adopted")
			if (w[4] != "-") was_adapter[w[4]] = w[3]
		}
		if (w[1] == "save") old_save[w[3] " " w[4]] = line
		if (w[1] ~ /^(netif_|ip)(add|del)$/) old_errand[++nold] = line
		if (w[1] == "drop") old_drop[w[2]] = 1
	}
	close(committed)
}
function read_plan(i, line, w) {
	for (i = 1; i in text; i++) {
		line = text[i]
		print line >(dir "/plan")
		print line >(dir "/digested")
		if (line ~ /^step /) {
			steps[++nsteps] = substr(line, 6)
			split(line, w, " ")
			if (w[2] == "port") placed[w[3]] = 1
		}
		else if (line ~ /^(keep|save|netif_add|netif_del|ipadd|ipdel) /) {
			lines = lines line "\n"
			split(line, w, " ")
			if (line ~ /^keep vlan /) { our_vlan[w[3]] = 1; decided[w[3]] = w[4] " " w[5] }
			if (w[1] == "keep") kept[w[3]] = 1
			else if (w[1] ~ /^ip/) new_address[w[3] " " w[4] " " w[5]] = 1
			else new_save[w[3] " " w[4]] = 1
			if (w[1] == "netif_del") removed[w[3] " " w[4]] = 1
		}
		else if (line ~ /^place / && split(line, w, " ")) put[w[3] " " w[4]] = w[5]
	}
}
# An errand of the former commit is done once: not again when it is done, nor when this plan says otherwise.
function still_open(line, w) {
	split(line, w, " ")
	if (line in done_errand) return 0
	if (line ~ /^netif/) return !((w[3] " " w[4]) in new_save)
	return !((w[3] " " w[4]) in removed) && !((w[3] " " w[4] " " w[5]) in new_address)
}
# Nor is a saved bridge that goes with this plan, or an interface that this plan puts elsewhere.
function still_meant(line, w) {
	split(line, w, " ")
	return (w[6] == "-" || (w[6] in kept)) && !(w[5] in placed) && !((w[3] " " w[4]) in put)
}
# An interface that is still to be made is made where it belongs by now.
function as_meant(line, w) {
	split(line, w, " ")
	if (w[1] != "netif_add" || !((w[3] " " w[4]) in put)) return line
	return w[1] " " w[2] " " w[3] " " w[4] " " w[5] " " w[6] " " put[w[3] " " w[4]]
}
function read_done(line, head) {
	head = former " finished "
	while ((getline line < errands) > 0) if (index(line, head) == 1) done_errand[substr(line, length(head) + 1)] = 1
	close(errands)
}
# What `follow` has not finished for the former commit is carried into the next one.
function write_committed(k, i, w) {
	printf "vnetpanel-committed 1\ntxid %s\n%s", txid, lines >(dir "/committed")
	if (former != "" && rd(followed) != former) {
		for (k in old_save) if (!(k in new_save) && still_meant(old_save[k])) print old_save[k] >(dir "/committed")
		for (i = 1; i <= nold; i++) if (still_open(old_errand[i])) print as_meant(old_errand[i]) >(dir "/committed")
		for (k in old_drop) if (!(k in kept)) drop[k] = 1
	}
	for (i = 1; i <= nsteps; i++) if (split(steps[i], w, " ") && w[1] == "rmbridge") drop[w[2]] = 1
	for (k in drop) print "drop " k >(dir "/committed")
	print "end" >(dir "/committed")
}
# The end state in the words of the snapshot; "?" where we leave it to the kernel.
function write_expected(i, dev, f, j, any) {
	for (i = 1; i <= ntouched; i++) {
		dev = order[i]
		if (!here[dev] || (dev in gone)) { print "absent " dev >(dir "/expected"); continue }
		any = (dev in managed) && managed[dev] == "-"
		print "link " dev " mac " (any ? "?" : mac[dev]) " mtu " (any || (follows_ports && bridge[dev]) ? "?" : mtu[dev]) " up " up[dev] \
			" master " (master[dev] == "" ? "-" : master[dev]) >(dir "/expected")
		if (dev in managed) print "br " dev " stp 0 fd 0 vf ?" >(dir "/expected")
		for (f = 4; f <= 6; f += 2) {
			for (j = 1; j <= nA[f, dev]; j++) print "addr" f " " dev " " A[f, dev, j] >(dir "/expected")
			for (j = 1; j <= nR[f, dev]; j++) print "route" f " " dev " " R[f, dev, j] >(dir "/expected")
			for (j = 1; j <= nP[f, dev]; j++) print "proxy" f " " dev " " P[f, dev, j] >(dir "/expected")
		}
	}
	for (dev in want_port) print "port " dev " master " want_port[dev] >(dir "/expected")
	for (i in gateways) print i, gateways[i] >(dir "/gateways")
	for (dev in owner) if (owner[dev] != dev) print "moved " owner[dev] " " dev >(dir "/snap")
	for (dev in moved) if (has_l3(dev)) print dev >(dir "/owners")
}
END {
	if (!complete()) { print "error=ip did not answer in full"; exit 74 }
	read_committed()
	read_done()
	read_plan()
	for (i in portof) {
		p = "brport/bridge/bridge/"
		if (sys(portof[i], p "stp_state") != "" && sys(portof[i], p "default_pvid") == "") unfiltered = 1
	}
	for (i = 1; i <= nsteps; i++) {
		n = split(steps[i], w, " ")
		if (w[1] == "vlan") step_vlan(w[2], w[3], w[4])
		else if (w[1] == "bridge") step_bridge(w[2], w[3])
		else if (w[1] == "adopt") step_adopt(w[2], w[3])
		else if (w[1] == "port") step_port(w[2], w[3])
		else if (w[1] == "rmbridge") step_rmbridge(w[2], n > 2 ? w[3] : "")
		else if (w[1] == "rmvlan") step_rmvlan(w[2])
	}
	finish_bridges()
	write_committed()
	write_expected()
	printf "%s", pro pro_set crit epi >(dir "/work")
	printf "%s", pro pro_set crit epi >(dir "/digested")
	# The same commands may be harmless at the review and move an address by now.
	print guarded ? "guarded" : "short" >(dir "/digested")
	# Their layer 3 is none of the business of this plan: what others add to it meanwhile is theirs.
	for (i = 1; i <= ntouched; i++) if (!(order[i] in moved)) {
		print "still " order[i] >(dir "/snap")
		print "still " order[i] >(dir "/expected")
	}
	print "end" >(dir "/snap")
	print "path=" (guarded ? "guarded" : "short")
	print "empty=" (pro pro_set crit epi == "" ? "yes" : "no")
	printf "%s", notes
	exit refused ? 69 : 0
}
