"""Action heads as LeRobot policy types; importing this package registers them."""

from .bc.configuration_kiwi_bc import KiwiBcConfig
from .cvae.configuration_kiwi_cvae import KiwiCvaeConfig
from .diffusion.configuration_kiwi_diffusion import KiwiDiffusionConfig
from .flow.configuration_kiwi_flow import KiwiFlowConfig

__all__ = ['KiwiBcConfig', 'KiwiCvaeConfig', 'KiwiDiffusionConfig', 'KiwiFlowConfig']
