from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

package_name = 'kiwi_policy'


def checkpoint_files() -> list[tuple[str, list[str]]]:
    """The shipped checkpoints as (share folder, files), folder structure kept."""
    folders: dict[str, list[str]] = {}
    for path in sorted(Path('checkpoints').rglob('*')):
        if path.is_file():
            folders.setdefault(f'share/{package_name}/{path.parent}', []).append(str(path))
    return list(folders.items())


setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={package_name: ['data/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/config', sorted(glob('config/*.yaml'))),
        (f'share/{package_name}/urdf', ['kiwi_policy/data/lekiwi.urdf']),
        *checkpoint_files(),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=False,
    maintainer='kiwi maintainers',
    maintainer_email='kiwi@example.org',
    description='Action heads, the chunk executor and the nodes that drive a LeKiwi with them',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'policy_node = kiwi_policy.nodes.policy_node:main',
            'chunk_executor_node = kiwi_policy.nodes.chunk_executor_node:main',
            'rollout_node = kiwi_policy.nodes.rollout_node:main',
            'recorder_node = kiwi_policy.nodes.recorder_node:main',
            'lekiwi_bridge_node = kiwi_policy.nodes.lekiwi_bridge_node:main',
            'camera_node = kiwi_policy.nodes.camera_node:main',
            'takeover_node = kiwi_policy.nodes.takeover_node:main',
            'view_node = kiwi_policy.nodes.view_node:main',
        ],
    },
)
