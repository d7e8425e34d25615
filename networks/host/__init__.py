"""What runs on a server: the transaction script, its grammar and its answers."""
