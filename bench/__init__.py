"""Measurements: the panel's own paths beside what people use today. `make bench` runs them all."""
