"""Behaviour cloning with a Gaussian likelihood: of fixed variance (mean squared error), or learned."""
