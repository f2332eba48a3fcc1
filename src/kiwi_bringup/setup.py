from glob import glob

from setuptools import find_packages, setup

package_name = 'kiwi_bringup'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        (f'share/{package_name}/config', sorted(glob('config/*'))),
        (f'share/{package_name}/launch', sorted(glob('launch/*.launch.py'))),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=False,
    maintainer='kiwi maintainers',
    maintainer_email='kiwi@example.org',
    description='Starts the processes of kiwi together, with ros2 launch or without',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'pickplace = kiwi_bringup.run:main',
        ],
    },
)
