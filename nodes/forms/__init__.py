"""Forms of the inventory. They check what was typed; services decide whether it may be done."""
