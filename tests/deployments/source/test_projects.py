"""Source that is taken for a site."""

import json

import pytest

from deployments.source.projects import FILES, PACKAGES
from tests.deployments.source.trees import SITE, folder, opened_files, refusal


def package(*names):
    return json.dumps({"devDependencies": dict.fromkeys(names, "*")}).encode()


@pytest.mark.parametrize("name", PACKAGES)
def test_a_generator_is_known_by_its_package(tmp_path, name):
    generator = PACKAGES[name]
    root = folder(tmp_path, {"package.json": package(name, "react"), "README.md": b"#"})
    message = refusal(root)
    assert (
        f"there is no index.html: it looks like source, not a build ({generator.name})" in message
    )
    assert f"run `{generator.command}` and deploy “{generator.output}”" in message
    folder(root, {f"{generator.output}/index.html": b"x"})
    assert f"its output is there already: deploy “{root / generator.output}”" in refusal(root)
    assert "there already" in refusal(root)


@pytest.mark.parametrize("name", FILES)
def test_a_generator_is_known_by_its_file(tmp_path, name):
    generator = FILES[name]
    message = refusal(folder(tmp_path, {name: b""}))
    assert f"({generator.name}); run `{generator.command}`" in message


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.toml": b'base_url = "/"'}, "(Zola); run `zola build` and deploy “public”"),
        ({"config.toml": b'baseURL = "/"'}, "(Hugo); run `hugo` and deploy “public”"),
        ({"_config.yml": b"", "package.json": package("hexo")}, "(Hexo)"),
        ({"package.json": b"{"}, "run `npm run build`"),
        ({"package.json": b"[]"}, "run `npm run build`"),
        ({"package.json": b'{"dependencies": 4}'}, "run `npm run build`"),
        ({"package.json": package("vite", "astro")}, "(Astro)"),
        ({"a.html": b"", "dist/index.html": b"x"}, "there is one in “dist”: deploy “"),
        ({"a.html": b""}, "or allow “index.html” to be missing"),
    ],
)
def test_the_more_special_sign_counts(tmp_path, files, words):
    assert words in refusal(folder(tmp_path, files))


def test_a_project_whose_page_loads_its_source_is_no_build(tmp_path):
    page = b'<div id="app"></div><script type="module" src="/src/main.tsx"></script>'
    root = folder(tmp_path, {"index.html": page, "package.json": package("vite")})
    assert "its index.html loads the source: it looks like source, not a build (Vite)" in refusal(
        root
    )
    assert opened_files(root, allow=["index.html"])
    (root / "package.json").unlink()
    assert opened_files(root)


def test_a_site_with_its_workshop_beside_it_is_published(tmp_path):
    files = {**SITE, "package.json": package("vite"), "_config.yml": b"", "src/a.js": b""}
    assert opened_files(folder(tmp_path, files)) == files
