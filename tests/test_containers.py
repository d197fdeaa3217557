"""The image and the composition: valid, hardened, and naming only what exists."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.utils.module_loading import import_string
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe").load(COMPOSE)["services"]
ONE_SHOT = {"migrate"}
SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET|TOKEN|KEY)\w*)([^}]*)\}")


def words(service: str) -> list[str]:
    return [str(word) for word in SERVICES[service].get("command", [])]


def test_dockerfile_passes_hadolint():
    subprocess.run([BIN / "hadolint", DOCKERFILE], check=True)


def test_compose_file_has_the_shape_of_the_specification():
    subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE], check=True
    )


def test_every_part_of_the_product_is_a_service():
    assert SERVICES.keys() == {
        *("web", "worker", "beat", "migrate"),
        *("postgres", "redis", "localcloud"),
    }


@pytest.mark.parametrize("service", SERVICES.keys() - ONE_SHOT)
def test_every_lasting_service_says_whether_it_is_well(service: str):
    assert SERVICES[service]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("service", ["web", "beat", "localcloud"])
def test_healthchecks_in_python_compile(service: str):
    *_, flag, code = SERVICES[service]["healthcheck"]["test"]
    assert flag == "-c"
    compile(code, service, "exec")


def test_healthcheck_of_the_image_compiles():
    joined = DOCKERFILE.read_text().replace("\\\n", "")
    found = re.search(r'^HEALTHCHECK .*CMD \["python", "-c", "(.+)"\]$', joined, re.MULTILINE)
    assert found
    compile(found[1], "Dockerfile", "exec")


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_runs_as_root(service: str):
    assert SERVICES[service]["user"] not in {"", "0", "root"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened(service: str):
    settings = SERVICES[service]
    assert settings["read_only"]
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]
    assert not settings.get("privileged")


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_loopback_only(service: str):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


def test_no_secret_has_a_default():
    found = SECRET.findall(COMPOSE.read_text())
    assert {name for name, _ in found} == {
        *("SECRET_KEY", "SALT_KEY", "POSTGRES_PASSWORD", "CLOUDADMIN_ADMIN_PASSWORD")
    }
    for name, rest in found:
        assert rest.startswith(":?"), f"{name} must be required, with a message"


def test_secrets_are_references_never_values():
    for service, settings in SERVICES.items():
        for name, value in settings.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|KEY", name):
                assert value is None or SECRET.fullmatch(value), f"{service}: {name}"


def test_databases_are_reached_by_nobody_outside():
    networks = YAML(typ="safe").load(COMPOSE)["networks"]
    assert networks["data"]["internal"]
    for service in ("postgres", "redis"):
        assert SERVICES[service]["networks"] == ["data"]
        assert "ports" not in SERVICES[service]


def test_redis_keeps_the_queue():
    assert {"--appendonly yes", "--maxmemory-policy noeviction"} <= {
        " ".join(pair) for pair in zip(words("redis")[1:], words("redis")[2:], strict=False)
    }


def test_app_services_start_after_the_migration():
    for service in ("web", "worker", "beat"):
        after = SERVICES[service]["depends_on"]["migrate"]
        assert after["condition"] == "service_completed_successfully"


@pytest.mark.parametrize("service", ["web", "worker", "beat", "localcloud"])
def test_programs_exist(service: str):
    assert shutil.which(words(service)[0], path=str(BIN))


@pytest.mark.filterwarnings("ignore:No directory at")  # collectstatic runs when the image is built
def test_web_serves_our_application():
    module, name = words("web")[1].split(":")
    assert callable(import_string(f"{module}.{name}"))


@pytest.mark.parametrize("service", ["worker", "beat"])
def test_celery_accepts_the_options(service: str):
    help_text = subprocess.run(
        [BIN / "celery", "-A", "cloudadmin", service, "--help"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    assert {word for word in words(service) if word.startswith("--")} <= set(
        re.findall(r"--[a-z-]+", help_text)
    )


def test_management_commands_exist():
    _, _, line = words("migrate")
    for command in line.split(" && "):
        python, manage, name, *options = command.split()
        assert (python, manage) == ("python", "manage.py")
        parser = load_command_class(get_commands()[name], name).create_parser(manage, name)
        parser.parse_args(options)


def test_local_cloud_exists():
    assert words("localcloud")[:3] == ["python", "-m", "localcloud"]
    assert importlib.util.find_spec("localcloud.__main__")


def test_image_takes_only_what_it_runs():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert all((ROOT / name).exists() for name in kept)
    assert {"cloudadmin", "deployments", "lambda_src", "localcloud", "sites"} <= kept
    assert not {".env", ".git", "tests"} & kept


def test_base_image_has_a_python_that_we_support():
    version = re.search(r"^FROM python:(3\.\d+)-slim", DOCKERFILE.read_text(), re.MULTILINE)
    assert version
    assert version[1] == "{}.{}".format(*sys.version_info), "the one that the tests run on"
