"""Conditional flow matching (Lipman et al. 2023; Liu et al. 2023).

The time convention of this package: tau = 0 is noise, tau = 1 is data, as in Lipman et al.
"""
