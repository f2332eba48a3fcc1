"""In simulation, ROS binds nothing but the loopback interface."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kiwi_bringup.environment import PROFILES, environment

PROFILE = Path(__file__).parents[1] / 'config' / 'loopback_fastdds.xml'
NODE = '''
import sys, threading, time, rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node(sys.argv[1])
heard = threading.Event()
node.create_subscription(String, 'words', lambda message: message.data == sys.argv[1] or heard.set(), 5)
publisher = node.create_publisher(String, 'words', 5)
told, end = False, time.monotonic() + 60
while time.monotonic() < end:
    publisher.publish(String(data=sys.argv[1]))
    rclpy.spin_once(node, timeout_sec=0.1)
    if heard.is_set() and not told:
        told = True
        print('heard', flush=True)
'''


def sockets_of(pid):
    """Local addresses of a process's UDP and TCP sockets, as hexadecimal IPv4 or IPv6."""
    inodes = set()
    for link in Path(f'/proc/{pid}/fd').iterdir():
        target = os.readlink(link)
        if target.startswith('socket:['):
            inodes.add(target[8:-1])
    found = []
    for table in ('udp', 'udp6', 'tcp', 'tcp6'):
        for line in Path(f'/proc/{pid}/net/{table}').read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                found.append(fields[1].split(':')[0])
    return found


@pytest.fixture
def pair():
    pytest.importorskip('rclpy')
    added = environment(True, 1 + os.getpid() % 100, PROFILE, {})
    processes = [
        subprocess.Popen([sys.executable, '-c', NODE, name], env={**os.environ, **added},
                         stdout=subprocess.PIPE, text=True)
        for name in ('one', 'two')]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_nodes_hear_each_other_over_loopback_sockets_only(pair):
    for process in pair:
        assert process.stdout.readline() == 'heard\n'
    for process in pair:
        addresses = sockets_of(process.pid)
        assert addresses
        assert set(addresses) == {'0100007F'}


def test_user_settings_stay():
    own = environment(True, 3, PROFILE, {PROFILES[0]: 'mine.xml', 'HF_HUB_OFFLINE': '0'})
    assert not {*PROFILES, 'HF_HUB_OFFLINE'} & set(own)
    assert own['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'


def test_real_robot_keeps_the_network_settings_of_its_user():
    added = environment(False, 3, PROFILE, {})
    assert not {*PROFILES, 'ROS_AUTOMATIC_DISCOVERY_RANGE'} & set(added)
