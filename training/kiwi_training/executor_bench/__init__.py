"""The executor benchmark: one policy, one task, the same faults, and many ways to run its chunks."""
