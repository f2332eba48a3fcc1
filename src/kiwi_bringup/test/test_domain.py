import os

import pytest
from kiwi_bringup.domain import DOMAINS, claim


def test_two_runs_get_two_domains(tmp_path):
    held = [claim(tmp_path, '') for _ in range(20)]
    numbers = [domain.number for domain in held]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(DOMAINS)
    assert len({domain.bus_link for domain in held}) == len(held)
    for domain in held:
        os.close(domain.lock)


def test_domain_is_free_again_after_its_run(tmp_path):
    held = [claim(tmp_path, '') for _ in DOMAINS]
    with pytest.raises(RuntimeError, match='ROS_DOMAIN_ID'):
        claim(tmp_path, '')
    os.close(held[7].lock)
    again = claim(tmp_path, '')
    assert again.number == held[7].number
    for domain in {*held, again} - {held[7]}:
        os.close(domain.lock)


def test_chosen_domain_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '42')
    assert claim(tmp_path).number == claim(tmp_path).number == 42


@pytest.mark.parametrize('wanted', ['x', '-1', '233', '1.5'])
def test_impossible_domain_is_refused(tmp_path, wanted):
    with pytest.raises(ValueError, match='ROS_DOMAIN_ID'):
        claim(tmp_path, wanted)


def test_run_time_folder_is_private(tmp_path):
    assert claim(tmp_path / 'new', '5').folder.stat().st_mode & 0o077 == 0
