"""Behaviour cloning with a Gaussian of fixed variance: mean squared error."""
