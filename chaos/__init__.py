"""Changes under random faults on the lab, each run ended by an oracle: `make chaos N=60`."""
