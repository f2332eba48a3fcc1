"""What the network is asked to predict, and the velocity and loss that follow from it."""

import torch

NEAR_DATA = 0.2
"""Below this distance 1 - tau from the data the loss weight stays constant."""


class SampleTarget:
    """The network predicts the clean chunk a_hat: v = (a_hat - x) / (1 - tau).

    The same field as a predicted velocity's, and || v - (x_1 - x_0) ||^2 equals
    || a_hat - x_1 ||^2 / (1 - tau)^2; the weight is bounded near tau = 1 and has mean 1 over
    tau ~ U[0, 1], since the integral of 1 / max(1 - tau, c)^2 is 2 / c - 1.
    """

    @staticmethod
    def velocity(output, x, tau):
        """Field at (x, tau), tau a float below 1."""
        return (output - x) / (1.0 - tau)

    @staticmethod
    def clean(output, x, tau):
        """The clean chunk a_hat at (x, tau)."""
        return output

    @staticmethod
    def loss(output, point, x_1):
        """Weighted squared error (B, H, D)."""
        weight = (1.0 - point.tau).clamp(min=NEAR_DATA) ** -2 / (2.0 / NEAR_DATA - 1.0)  # (B,)
        return weight[:, None, None] * torch.square(output - x_1)


class VelocityTarget:
    """The network predicts the velocity x_1 - x_0 itself."""

    @staticmethod
    def velocity(output, x, tau):
        """Field at (x, tau)."""
        return output

    @staticmethod
    def clean(output, x, tau):
        """The clean chunk a_hat = x + (1 - tau) v at (x, tau)."""
        return x + (1.0 - tau) * output

    @staticmethod
    def loss(output, point, x_1):
        """Squared error (B, H, D)."""
        return torch.square(output - point.velocity)


TARGETS = {'sample': SampleTarget, 'velocity': VelocityTarget}
