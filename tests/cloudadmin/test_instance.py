"""The embedded default, as far as it can be told without starting it."""

from __future__ import annotations

import signal
from dataclasses import asdict, astuple
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from cloudadmin import embedded
from cloudadmin.instance import USUAL, AlreadyRunning, Ports, choose_ports


@pytest.fixture(autouse=True)
def free_machine(monkeypatch):
    monkeypatch.setattr(embedded, "is_free", lambda port: True)


def test_the_usual_ports_are_taken_when_they_are_free():
    assert choose_ports(Ports(), {}) == asdict(USUAL)


@pytest.mark.parametrize("asked", [Ports(web=8080), Ports(edge=8000), Ports(aws=63790)])
def test_a_port_that_is_asked_for_is_given_to_no_other(asked):
    ports = choose_ports(asked, {})
    assert len({*ports.values()}) == len(ports)
    assert {port for port in astuple(asked) if port} <= {*ports.values()}


def test_the_ports_of_last_time_are_kept_unless_they_are_asked_for():
    last = choose_ports(Ports(web=8001), {})
    assert choose_ports(Ports(), last) == last
    assert choose_ports(Ports(edge=8001), last)["web"] != 8001


def test_one_port_for_two_is_refused():
    with pytest.raises(AlreadyRunning, match="8123"):
        choose_ports(Ports(web=8123, edge=8123), {})


def test_a_data_folder_that_cannot_be_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(signal, "signal", mock.create_autospec(signal.signal))
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="file cannot be written"):
        call_command("up", data_dir=tmp_path / "file")
