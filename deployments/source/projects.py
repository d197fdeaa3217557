"""Source taken for a site: which generator it belongs to, and what to deploy instead."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from deployments.source.rules import SourceRefused


@dataclass(frozen=True)
class Generator:
    """``command`` builds the site into the folder ``output``."""

    name: str
    command: str
    output: str


NPM = "npm run build"
# By what package.json depends on; the more special first, since many of these use Vite.
PACKAGES = {
    "next": Generator("Next.js", f"{NPM}` with `output: 'export'", "out"),
    "nuxt": Generator("Nuxt", "npx nuxt generate", ".output/public"),
    "gatsby": Generator("Gatsby", NPM, "public"),
    "astro": Generator("Astro", NPM, "dist"),
    "@sveltejs/kit": Generator("SvelteKit", f"{NPM}` with adapter-static", "build"),
    "@docusaurus/core": Generator("Docusaurus", NPM, "build"),
    "vitepress": Generator("VitePress", "npx vitepress build docs", "docs/.vitepress/dist"),
    "vuepress": Generator("VuePress", "npx vuepress build docs", "docs/.vuepress/dist"),
    "@11ty/eleventy": Generator("Eleventy", "npx @11ty/eleventy", "_site"),
    "hexo": Generator("Hexo", "npx hexo generate", "public"),
    "@angular/core": Generator("Angular", "npx ng build", "dist"),
    "react-scripts": Generator("Create React App", NPM, "build"),
    "@vue/cli-service": Generator("Vue CLI", NPM, "dist"),
    "gridsome": Generator("Gridsome", NPM, "dist"),
    "parcel": Generator("Parcel", NPM, "dist"),
    "vite": Generator("Vite", NPM, "dist"),
}
# By a file at the top; config.toml is told apart by what is in it.
FILES = {
    "hugo.toml": Generator("Hugo", "hugo", "public"),
    "hugo.yaml": Generator("Hugo", "hugo", "public"),
    "hugo.json": Generator("Hugo", "hugo", "public"),
    "_config.yml": Generator("Jekyll", "bundle exec jekyll build", "_site"),
    "_config.toml": Generator("Jekyll", "bundle exec jekyll build", "_site"),
    "mkdocs.yml": Generator("MkDocs", "mkdocs build", "site"),
    "zensical.toml": Generator("Zensical", "zensical build", "site"),
    "pelicanconf.py": Generator("Pelican", "pelican content", "output"),
    "conf.py": Generator("Sphinx", "sphinx-build -b html . _build/html", "_build/html"),
    "source/conf.py": Generator("Sphinx", "make html", "build/html"),
    "book.toml": Generator("mdBook", "mdbook build", "book"),
    "antora-playbook.yml": Generator("Antora", "npx antora antora-playbook.yml", "build/site"),
    "_quarto.yml": Generator("Quarto", "quarto render", "_site"),
    "middleman.rb": Generator("Middleman", "bundle exec middleman build", "build"),
}
ZOLA = Generator("Zola", "zola build", "public")
HUGO = FILES["hugo.toml"]
SOME_PACKAGE = Generator("a JavaScript project", NPM, "dist")
OUTPUTS = ("dist", "build", "out", "public", "_site", "site", "www", "docs")
READ_WITHIN = 256 * 1024
# Vite's start page is in the project itself and loads its source.
SOURCE_SCRIPT = re.compile(rb"""<script[^>]+src=["']?/?(?:\./)?src/[^"'>\s]+\.(?:[cm]?[jt]sx?)\b""")


def judge_start_page(root: Path) -> None:
    """Refuse a folder that has no start page, or an empty one, or that of a project's source."""
    index = root / "index.html"
    generator = generator_of(root)
    if not index.is_file():
        if generator is not None:
            raise SourceRefused(f"there is no index.html: {advice(root, generator)}.")
        raise SourceRefused(f"there is no index.html at its top; {_with_index(root)}.")
    beginning = _beginning(index)
    if not beginning.strip():
        raise SourceRefused("the start page, index.html, is empty; run the build again.")
    if generator is not None and SOURCE_SCRIPT.search(beginning):
        raise SourceRefused(f"its index.html loads the source: {advice(root, generator)}.")


def generator_of(root: Path) -> Generator | None:
    """What would build this folder, if it is the source of a site."""
    packages = _packages(root)
    for package, generator in PACKAGES.items():
        if package in packages:
            return generator
    for name, generator in FILES.items():
        if (root / name).is_file():
            return generator
    if (root / "config.toml").is_file():
        return ZOLA if b"base_url" in _beginning(root / "config.toml") else HUGO
    return SOME_PACKAGE if (root / "package.json").is_file() else None


def advice(root: Path, generator: Generator) -> str:
    """What to do with the source of a site, as the end of a sentence."""
    looks = f"it looks like source, not a build ({generator.name})"
    for output in (generator.output, *OUTPUTS):
        if (root / output / "index.html").is_file():
            return f"{looks}; its output is there already: deploy “{root / output}”"
    return f"{looks}; run `{generator.command}` and deploy “{generator.output}”"


def _with_index(root: Path) -> str:
    for output in OUTPUTS:
        if (root / output / "index.html").is_file():
            return f"there is one in “{output}”: deploy “{root / output}”"
    return "deploy the folder that has the start page in it, or allow “index.html” to be missing"


def _packages(root: Path) -> set[str]:
    try:
        described = json.loads(_beginning(root / "package.json"))
        return {
            name for key in ("dependencies", "devDependencies") for name in described.get(key, {})
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return set()


def _beginning(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(READ_WITHIN)
