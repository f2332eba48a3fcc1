"""The chunk backbone every head of ours shares: one token per step of the chunk.

Each block mixes the tokens along time and then along channels (MLP-Mixer, Tolstikhin et al. 2021),
its normalised input scaled and shifted by observation and flow time (adaptive layer norm, Peebles
and Xie 2023). What depends on the observation alone is computed once, in `condition`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TIME_FREQUENCIES = 16


@dataclass(frozen=True)
class Condition:
    """What the backbone needs to know of the observation.

    Attributes:
        embedding: (B, embedding), modulates every block.
        tokens: (B, H, width), the observation's share of every step's first token.
    """

    embedding: Tensor
    tokens: Tensor

    def repeat(self, times):
        """The same conditions `times` times over, (times * B, ...)."""
        return Condition(self.embedding.repeat(times, 1), self.tokens.repeat(times, 1, 1))


class MixerBlock(nn.Module):
    """Token mixing along time, then a channel MLP, both residual and modulated."""

    def __init__(self, horizon, width, embedding, expansion):
        super().__init__()
        self.modulation = nn.Linear(embedding, 4 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.norm_time = nn.LayerNorm(width, elementwise_affine=False)
        self.time_in = nn.Linear(horizon, 2 * horizon)
        self.time_out = nn.Linear(2 * horizon, horizon)
        self.norm_channel = nn.LayerNorm(width, elementwise_affine=False)
        self.channel_in = nn.Linear(width, expansion * width)
        self.channel_out = nn.Linear(expansion * width, width)

    def forward(self, tokens, condition):
        """Tokens (B, H, width) and condition (B, embedding) -> (B, H, width)."""
        scale_t, shift_t, scale_c, shift_c = self.modulation(condition)[:, None].chunk(4, dim=-1)
        x = torch.addcmul(shift_t, self.norm_time(tokens), 1 + scale_t).transpose(1, 2)
        tokens = tokens + self.time_out(F.gelu(self.time_in(x))).transpose(1, 2)
        x = torch.addcmul(shift_c, self.norm_channel(tokens), 1 + scale_c)
        return tokens + self.channel_out(F.gelu(self.channel_in(x)))


class ChunkBackbone(nn.Module):
    """A chunk in, a chunk out, conditioned on an observation and a flow time.

    Args:
        horizon: H, steps of the chunk.
        action_dim: D, values per step.
        embedding: size of the observation's embedding.
        width: channels of a token; H * width must not be below H * D.
        depth: number of blocks.
        expansion: widening of the channel MLP.
        outputs: values the network puts out per action value.

    Attributes:
        evaluations: how often `forward` has run, the function evaluations of a sampler.
    """

    def __init__(self, horizon, action_dim, embedding, width, depth, expansion, outputs=1):
        super().__init__()
        if width < action_dim:
            raise ValueError(
                f'width {width} is below the {action_dim} action values of a step: such a network '
                'cannot carry the noise through'
            )
        self.evaluations = 0
        self.horizon, self.width = horizon, width
        self.action_in = nn.Linear(action_dim, width)
        self.position = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.observation_in = nn.Linear(embedding, horizon * width)
        self.time_in = nn.Sequential(
            nn.Linear(2 * TIME_FREQUENCIES, embedding), nn.GELU(), nn.Linear(embedding, embedding)
        )
        self.blocks = nn.ModuleList(
            MixerBlock(horizon, width, embedding, expansion) for _ in range(depth)
        )
        self.norm_out = nn.LayerNorm(width)
        self.action_out = nn.Linear(width, outputs * action_dim)
        frequencies = torch.exp(torch.linspace(0.0, math.log(200.0), TIME_FREQUENCIES))
        self.register_buffer('frequencies', frequencies, persistent=False)

    def condition(self, embedding):
        """Embedding (B, embedding) -> Condition, once per observation."""
        tokens = self.observation_in(embedding).view(-1, self.horizon, self.width)
        return Condition(embedding, tokens + self.position)

    def decode(self, condition):
        """One function evaluation without a chunk to start from: zeros at tau = 0.

        Args:
            condition: Condition of B observations.

        Returns:
            (B, H, outputs * D).
        """
        count = len(condition.embedding)
        blank = condition.tokens.new_zeros(count, self.horizon, self.action_in.in_features)
        return self(blank, blank.new_zeros(count), condition)

    def forward(self, chunk, tau, condition):
        """One function evaluation.

        Args:
            chunk: (B, H, D) normalised.
            tau: (B,) flow time in 0..1.
            condition: Condition of B observations.

        Returns:
            (B, H, outputs * D).
        """
        self.evaluations += 1
        angles = tau[:, None] * self.frequencies  # (B, frequencies)
        time = self.time_in(torch.cat([angles.sin(), angles.cos()], dim=-1))
        modulation = F.silu(condition.embedding + time)  # (B, embedding)
        tokens = self.action_in(chunk) + condition.tokens
        for block in self.blocks:
            tokens = block(tokens, modulation)
        return self.action_out(self.norm_out(tokens))
