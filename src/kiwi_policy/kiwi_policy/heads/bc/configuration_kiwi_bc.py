"""Configuration of the behaviour cloning head."""

from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig

from ..config import KiwiConfig


@PreTrainedConfig.register_subclass('kiwi_bc')
@dataclass
class KiwiBcConfig(KiwiConfig):
    """Behaviour cloning head; everything is in the shared configuration."""
