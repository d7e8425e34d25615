# The grammar of a plan, line by line and as a whole: its lines are in text[1..] then, or it exits 64 with one error= line.
# The twin of parse_plan in grammar.py; a test feeds both the same texts and compares. For busybox a NUL ends the line;
# nothing is used of a plan, nor goes into its digest, but what has been judged here.
# Portable to mawk (no {n,m}), gawk 3 and busybox.

function bad(field, why) {
	if (failed) return
	failed = 1
	print "error=line " (whole ? 0 : NR) ", " field ": " why
}
function is_name(w) {
	return w ~ /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/ && length(w) <= 15 && w != "all" && w != "default" && w != "lo"
}
function is_uuid(w, part) {
	return split(w, part, "-") == 5 && length(w) == 36 && w ~ /^[0-9A-Fa-f-]*$/ && length(part[1]) == 8 && \
		length(part[2]) == 4 && length(part[3]) == 4 && length(part[4]) == 4
}
function is_mac(w, part) {
	return split(w, part, ":") == 6 && length(w) == 17 && \
		w ~ /^[0-9a-f][02468ace]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]$/
}
# Words that look like one; whether it is an address, ip and vzctl say.
function is_address(w, n, i, part) {
	if (length(w) > 43) return 0
	if (w ~ /:/) return w ~ /^[0-9a-f:.]*:[0-9a-f:.]*\/[0-9][0-9]?[0-9]?$/
	if (w !~ /^[0-9.]+\/[0-9][0-9]?$/) return 0
	sub(/\/.*/, "", w)
	n = split(w, part, ".")
	for (i = 1; i <= n; i++) if (part[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/) return 0
	return n == 4
}
function is_good(what, w, dialect) {
	if (what ~ /-$/ && w == "-") return 1
	sub(/[-?]$/, "", what)
	if (what == "VID") return w ~ /^[1-9][0-9]*$/ && length(w) <= 4 && w + 0 <= 4094
	if (what == "MAC") return is_mac(w)
	if (what == "ADDRESS") return is_address(w)
	if (what == "CTID") return (w ~ /^[1-9][0-9]*$/ && length(w) <= 10) || (dialect == "7" && is_uuid(w))
	return is_name(w) && !(what == "BR" && w == "vn-none")
}
function once(key) {
	if (key in seen) bad("twice", "said before")
	seen[key] = 1
}
# What the keep lines say, for the rules that span lines.
function remember() {
	if ($1 == "keep" && $2 == "vlan") { kvlan[$3] = $4 " " $5; once("keep tag " $4 " " $5) }
	if ($1 == "keep" && $2 != "vlan") {
		kbridge[$3] = $4
		kadopted[$3] = ($2 == "adopted")
		if ($4 != "-") { once("keep adapter " $4); kadapter[$4] = $3 }
	}
	if ($1 == "step") planned[++nplanned] = $0
	if ($1 ~ /^ip/) once("address " $3 " " $4 " " $5)
	else once($1 ~ /^(save$|place$|netif)/ ? "save " $3 " " $4 : $1 " " $3)
}
function agrees(line, w, taken) {
	split(line, w, " ")
	if (w[2] == "vlan") return (w[3] in kvlan) && kvlan[w[3]] == w[4] " " w[5]
	if (w[2] == "bridge") return (w[3] in kbridge) && !kadopted[w[3]] && kbridge[w[3]] == w[4] && !(w[3] in kvlan)
	if (w[2] == "adopt") return (w[3] in kbridge) && kadopted[w[3]] && kbridge[w[3]] == w[4]
	if (w[2] == "port") {
		taken = (w[3] in kvlan) || (w[3] in kbridge) || (w[3] in kadapter)
		return !taken && (w[4] == "-" || (w[4] in kbridge))
	}
	if (w[2] == "rmbridge") return !(w[3] in kbridge) && w[3] != w[4]
	return !(w[3] in kvlan) && !(w[3] in kadapter)
}
BEGIN {
	spec["step vlan"] = spec["keep vlan"] = "DEV BASE VID"
	spec["step bridge"] = spec["keep bridge"] = "BR ADAPTER-"
	spec["step adopt"] = spec["keep adopted"] = "BR ADAPTER"
	spec["step port"] = "IFACE BR-"
	spec["step rmbridge"] = "BR ADAPTER?"
	spec["step rmvlan"] = "DEV"
	spec["save 4"] = spec["save 7"] = "CTID IFNAME HOSTIF BR-"
	for (i = 4; i <= 7; i += 3) {
		spec["place " i] = "CTID IFNAME BR-"
		spec["netif_add " i] = "CTID IFNAME MAC- HOSTIF- BR-"
		spec["netif_del " i] = "CTID IFNAME"
		spec["ipadd " i] = spec["ipdel " i] = "CTID IFNAME ADDRESS"
	}
	rank["step"] = 1; rank["keep"] = 2; rank["save"] = rank["place"] = 3
	rank["netif_add"] = rank["netif_del"] = rank["ipadd"] = rank["ipdel"] = 4
}
failed { next }
{
	bytes += length($0) + 1
	if (bytes > 262145) { whole = 1; bad("plan", "longer than 262144 bytes"); next }
	if (NR > 4000) { whole = 1; bad("plan", "more than 4000 lines"); next }
	if ($0 ~ /[^ -~]/ || $0 ~ /^ | $|  /) { bad("line", "only printable ASCII words with single spaces"); next }
	text[NR] = $0
	if (NR == 1) { if ($0 != "vnetpanel-plan 1") bad("header", "must be vnetpanel-plan 1"); next }
	if (ended) { bad("end", "something follows it"); next }
	if ($0 == "end") { ended = 1; next }
	kind = $1 " " $2
	if (NF < 2 || !(kind in spec)) { bad("kind", "not a line of a plan"); next }
	n = split(spec[kind], want, " ")
	if (NF - 2 > n || NF - 2 < n - (want[n] ~ /\?$/)) { bad("words", "wrong number of words"); next }
	for (i = 3; i <= NF; i++) if (!is_good(want[i - 2], $i, $2)) { bad(want[i - 2], "not a valid value"); next }
	if (rank[$1] < highest) { bad("order", "steps come first, then keeps, then saves, then errands"); next }
	highest = rank[$1]
	remember()
}
END {
	whole = 1
	if (!failed && !ended) bad("end", "the plan is cut short")
	if (!failed) for (dev in kvlan) {
		split(kvlan[dev], w, " ")
		if ((w[1] in kvlan) || (w[1] in kbridge)) bad(dev, "a VLAN needs a NIC or bond as its base")
	}
	if (!failed) for (br in kbridge) if (kbridge[br] in kbridge) bad(br, "a bridge cannot be in a bridge")
	for (i = 1; i <= nplanned && !failed; i++) if (!agrees(planned[i])) {
		whole = 0; NR = i + 1
		bad("keep", "does not agree with the keep lines")
	}
	if (failed) exit 64
}
