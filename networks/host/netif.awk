# The NETIF="key=value,key=value;…" of one conf file, never sourced: its values are not escaped.
# -v key, value: the entry wanted (ifname or host_ifname); prints "BRIDGE TYPE HOSTIF" of it, "-" for what is not said.
# -v address, with them: exits 0 when the entry has that address; "venet0" has those of IP_ADDRESS.
# -v list=CTID: prints "CTID BRIDGE HOSTIF" of each entry that has the latter two.
# -v bridge: exits 0 when any entry refers to it. A token without "=" goes on with the list before it (ip6= of 7+).
function said(name) { return field[name] == "" ? "-" : field[name] }
function has(list, separator, n, i, one) {
	n = split(tolower(list), one, separator)
	for (i = 1; i <= n; i++) {
		sub(/\/.*/, "", one[i])
		if (one[i] == address) return 1
	}
	return 0
}
/^NETIF=/ { netif = substr($0, 7) }
/^IP_ADDRESS=/ { routed = substr($0, 12) }
END {
	sub(/\/.*/, "", address)
	gsub(/["\r]/, "", netif)
	gsub(/["\r]/, "", routed)
	if (address != "" && value == "venet0") exit has(routed, " ") ? 0 : 1
	n = split(netif, entry, ";")
	for (i = 1; i <= n; i++) {
		split("", field)
		last = ""
		m = split(entry[i], pair, ",")
		for (j = 1; j <= m; j++) {
			if ((at = index(pair[j], "=")) > 0) field[last = substr(pair[j], 1, at - 1)] = substr(pair[j], at + 1)
			else if (last != "") field[last] = field[last] "," pair[j]
		}
		where = field["bridge"] field["network"]
		if (list != "") {
			if (where != "" && field["host_ifname"] != "") print list, where, field["host_ifname"]
			continue
		}
		if (bridge != "" && where == bridge) exit 0
		if (bridge == "" && field[key] == value) {
			if (address != "") exit has(field["ip"], ":") || has(field["ip6"], ",") ? 0 : 1
			print (where == "" ? "-" : where), said("type"), said("host_ifname")
			exit 0
		}
	}
	exit 1
}
