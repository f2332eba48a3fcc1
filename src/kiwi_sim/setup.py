from glob import glob

from setuptools import find_packages, setup

package_name = 'kiwi_sim'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={package_name: ['data/**']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/config', sorted(glob('config/*'))),
        (f'share/{package_name}/calibration', ['kiwi_sim/data/lekiwi_sim.json']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=False,
    maintainer='kiwi maintainers',
    maintainer_email='kiwi@example.org',
    description='A simulated LeKiwi: MuJoCo world, the fork task, servo bus on a pseudo-terminal',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'sim_node = kiwi_sim.sim_node:main',
            'sim_host = kiwi_sim.sim_host:main',
        ],
    },
)
