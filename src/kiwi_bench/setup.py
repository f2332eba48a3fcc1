from setuptools import find_packages, setup

package_name = 'kiwi_bench'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=False,
    maintainer='kiwi maintainers',
    maintainer_email='kiwi@example.org',
    description='Benchmarks of the running nodes',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'bench_faults = kiwi_bench.nodes.bench_faults:main',
            'bench_loop = kiwi_bench.loop.command:main',
            'loop_bench_node = kiwi_bench.nodes.loop_bench_node:main',
        ],
    },
)
