"""A stable name for a pseudo-terminal, and where it lies by default."""

import os
import tempfile
from pathlib import Path


def default_port_link(domain=None):
    """Path of the emulated bus of a user and a ROS domain.

    Below XDG_RUNTIME_DIR where that exists, else below the temporary directory.

    Args:
        domain: ROS domain id; default: ROS_DOMAIN_ID, or 0.
    """
    domain = os.environ.get('ROS_DOMAIN_ID') or '0' if domain is None else domain
    runtime = os.environ.get('XDG_RUNTIME_DIR')
    if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
        root = Path(runtime) / 'kiwi'
    else:
        root = Path(tempfile.gettempdir()) / f'kiwi-{os.getuid()}'
    return root / str(domain) / 'servo-bus'


class PortLink:
    """A symbolic link that this process keeps and removes.

    Args:
        path: where the link lies; its folder is made, readable by the user only.

    Raises:
        FileExistsError: something that is not a symbolic link lies there.
    """

    def __init__(self, path):
        self.path = Path(path)
        if self.path.exists() and not self.path.is_symlink():
            raise FileExistsError(f'{self.path} exists and is no symbolic link: choose another port_link')

    def point_to(self, device):
        """Let the link point to `device`, replacing a former link in one step."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_name(f'{self.path.name}.{os.getpid()}')
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(device)
        os.replace(fresh, self.path)

    def remove(self, device):
        """Remove the link if it still points to `device`."""
        try:
            if os.readlink(self.path) == device:
                self.path.unlink()
        except OSError:
            pass
