"""Benchmarks of kiwi's running nodes. May import every other room and is imported by none."""
