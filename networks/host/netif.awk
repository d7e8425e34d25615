# The NETIF="key=value,key=value;…" of one conf file, never sourced: its values are not escaped.
# -v key, value: the entry wanted (ifname or host_ifname); prints "BRIDGE TYPE" of it, "-" for what is not said.
# -v bridge: exits 0 when any entry refers to it. ip6= lists go on after a comma without a key: skipped.
/^NETIF=/ { netif = substr($0, 7) }
END {
	gsub(/["\r]/, "", netif)
	n = split(netif, entry, ";")
	for (i = 1; i <= n; i++) {
		split("", field)
		m = split(entry[i], pair, ",")
		for (j = 1; j <= m; j++) if ((at = index(pair[j], "=")) > 0)
			field[substr(pair[j], 1, at - 1)] = substr(pair[j], at + 1)
		where = field["bridge"] field["network"]
		if (bridge != "" && where == bridge) exit 0
		if (bridge == "" && field[key] == value) {
			print (where == "" ? "-" : where), (field["type"] == "" ? "-" : field["type"])
			exit 0
		}
	}
	exit 1
}
