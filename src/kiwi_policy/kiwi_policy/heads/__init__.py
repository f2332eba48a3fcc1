"""Action heads as LeRobot policy types; importing this package registers them."""

from .bc.configuration_kiwi_bc import KiwiBcConfig
from .flow.configuration_kiwi_flow import KiwiFlowConfig

__all__ = ['KiwiBcConfig', 'KiwiFlowConfig']
