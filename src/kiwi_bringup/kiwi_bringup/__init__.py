"""Starts kiwi's processes together: one composition, two front ends."""
