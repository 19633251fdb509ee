"""What mkdocs asks while it builds the site: the reference's pages, links out of docs/, and formulas."""

import inspect
import re
import sys
from pathlib import Path

import latex2mathml.converter
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

import reference  # noqa: E402

ROOT = Path(__file__).parent.parent
PICTURES = "examples/pictures"  # that pages show and that lie elsewhere
OUTSIDE = re.compile(r"\]\((?P<up>(?:\.\./)+)(?P<path>[^)#]+)(?P<anchor>#[^)]*)?\)")
FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S)


def reference_pages() -> dict[str, tuple[str, str]]:
    """The pages of the reference: file -> (title, text)."""
    pages: dict[str, tuple[str, list[str]]] = {}
    for entry in reference.public():
        title, about = _page(entry)
        name = "reference/" + title.removeprefix("tinygrad_lite.").replace(" ", "_").lower() + ".md"
        _, parts = pages.setdefault(name, (title, [f"# {title}\n\n{about}\n"]))
        parts.append(f"::: {entry.path}\n")
    return {name: (title, "\n".join(parts)) for name, (title, parts) in pages.items()}


def _page(entry: reference.Public) -> tuple[str, str]:
    """On which page a name stands, and what the page begins with: those of `tl` by the file that they are written in."""
    if entry.namespace == "tinygrad_lite":
        module = inspect.getmodule(inspect.unwrap(entry.value))
        home = sys.modules[entry.value.__module__] if entry.value.__module__ in sys.modules else module
        return f"tl {home.__name__.removeprefix('tinygrad_lite.')}", home.__doc__ or ""
    holder = reference.holder(entry.namespace)
    return entry.namespace, (inspect.getdoc(holder) or "").partition("\n")[0]


def on_config(config):
    """List the reference's pages in the navigation."""
    listed = [{title: name} for name, (title, _) in reference_pages().items()]
    for section in config.nav:
        if "Reference" in section:
            section["Reference"] = listed
    return config


def on_files(files, config):
    """Add the reference's pages, and the pictures of examples/."""
    for name, (_, text) in reference_pages().items():
        files.append(File.generated(config, name, content=text))
    for path in sorted((ROOT / PICTURES).glob("*.png")):
        files.append(File.generated(config, f"{PICTURES}/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links that lead out of docs/ lead to the repository, where the file must be."""
    def target(match: re.Match) -> str:
        folder = (Path(config.docs_dir) / page.file.src_uri).parent
        path = (folder / match["up"] / match["path"]).resolve()
        if path.is_relative_to(config.docs_dir):
            return match[0]
        if not path.exists():
            raise PluginError(f"{page.file.src_uri}: {match['up']}{match['path']} does not exist")
        inside = path.relative_to(ROOT).as_posix()
        if inside.startswith(PICTURES):
            return f"]({'../' * page.file.src_uri.count('/')}{inside})"
        return f"]({config.repo_url}/blob/main/{inside}{match['anchor'] or ''})"

    return OUTSIDE.sub(target, markdown)


def on_page_content(html, page, config, files):
    """Formulas become MathML, which browsers show without a script."""
    def formula(match: re.Match) -> str:
        display = "block" if match["tag"] == "div" else "inline"
        tex = match["tex"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return latex2mathml.converter.convert(tex, display=display)

    return FORMULA.sub(formula, html)
