"""The embedded default, as far as it can be told without starting it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, astuple
from unittest import mock

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from cloudadmin import embedded
from cloudadmin.instance import USUAL, AlreadyRunning, Instance, Ports, choose_ports
from cloudadmin.supervision import Supervisor


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


@pytest.fixture
def supervisor(monkeypatch):
    made = mock.create_autospec(Supervisor)
    monkeypatch.setattr("cloudadmin.instance.Supervisor", made)
    monkeypatch.setattr(Instance, "_run_programs", lambda _: None)
    return made


@pytest.fixture
def instance(tmp_path, supervisor) -> Iterator[Instance]:
    made = Instance(tmp_path, Ports(), say=print, time_scale=0.05)
    yield made
    made.stop()


def settings_of(data_dir, name: str, **environment: str) -> str:
    """What another command on this data directory finds."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLOUDADMIN_"))}
    given = {"CLOUDADMIN_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "cloudadmin.settings"}
    return subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings as s; print(s.{name})"],
        env={**inherited, **given, **environment},
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()


def test_workers_and_commands_ask_the_dns_of_the_local_cloud(instance, supervisor, tmp_path):
    _, programs, environment, _ = supervisor.call_args.args
    dns_url = environment["CLOUDADMIN_DNS_URL"]
    assert dns_url == f"{environment['AWS_ENDPOINT_URL']}/_localcloud/dns-query"
    instance.start(demo=False)
    assert json.loads((tmp_path / "run.json").read_text())["dns_url"] == dns_url
    assert settings_of(tmp_path, "CLOUDADMIN_DNS_URL") == dns_url
    other = "http://192.0.2.1/dns-query"
    assert settings_of(tmp_path, "CLOUDADMIN_DNS_URL", CLOUDADMIN_DNS_URL=other) == other


def test_on_aws_the_system_is_asked(tmp_path, supervisor, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "customer")
    instance = Instance(tmp_path, Ports(), say=print)
    assert "CLOUDADMIN_DNS_URL" not in supervisor.call_args.args[2]
    instance.start(demo=False)
    assert settings_of(tmp_path, "CLOUDADMIN_DNS_URL") == ""
    instance.stop()


def test_the_local_cloud_is_told_how_fast_time_goes(instance, supervisor):
    programs = {program.name: program for program in supervisor.call_args.args[1]}
    command = programs["localcloud"].command
    assert command[command.index("--time-scale") + 1] == "0.05"


@pytest.mark.parametrize("scale", ["-1", "inf", "nan", "soon"])
def test_time_that_cannot_be_is_refused(scale):
    with pytest.raises(CommandError, match="--time-scale"):
        call_command("up", "--time-scale", scale)
