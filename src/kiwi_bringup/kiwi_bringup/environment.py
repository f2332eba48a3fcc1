"""Environment variables of the composition's processes."""

import os
from collections.abc import Mapping
from pathlib import Path

PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')  # Fast DDS 2 and 3


def environment(simulated: bool, domain: int, profile: Path, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to add to `base`; what the user has set there stays.

    In simulation all ROS traffic stays on the loopback interface. A real robot may have its policy on another
    machine, so there the user's network settings hold.

    Args:
        simulated: whether the robot is simulated.
        domain: ROS domain id.
        profile: the Fast DDS profile that knows the loopback interface only.
        base: the environment so far.
    """
    added = {
        'ROS_DOMAIN_ID': str(domain),
        'PYTHONUNBUFFERED': '1',
        'KIWI_TETHER_PARENT': str(os.getpid()),
    }
    if not base.get('HF_HUB_OFFLINE'):
        added['HF_HUB_OFFLINE'] = '1'
    if simulated and not any(base.get(name) for name in PROFILES):
        # The profile does discovery by itself; a range here would add a transport on all interfaces.
        added |= dict.fromkeys(PROFILES, str(profile)) | {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT'}
    elif simulated:
        added['ROS_AUTOMATIC_DISCOVERY_RANGE'] = base.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'LOCALHOST'
    return added
