"""Forms of virtual networks. They turn what was typed into edits; the rules look at the edits."""
