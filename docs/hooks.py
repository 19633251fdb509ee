"""What mkdocs asks while it builds the site: the reference's pages, links out of docs/, and formulas."""

import inspect
import posixpath
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
CELL = re.compile(r'<div class="jp-RenderedHTMLCommon jp-RenderedMarkdown.*?</div>', re.S)  # mkdocs-jupyter's
LINK = re.compile(r'href="(?P<path>[\w./-]+)\.(?P<ending>md|py)(?P<anchor>#[^"]*)?"')
PICTURE = re.compile(r'<img [^>]*?src="(?P<source>[^":]+)"[^>]*>')
FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S)


GROUPS = {  # pages of the reference: of what is in `tl` by the files, of what is below it by the namespaces
    "Tensor": "tensor tinygrad_lite.Tensor methods settings ops.arguments sparse",
    "Making tensors": "creation random tinygrad_lite.random engine.dtypes",
    "Element by element": "ops.elementwise ops.transcendental ops.special inplace",
    "Shapes and parts": "ops.shape ops.index ops.parts ops.join",
    "Sums, orders and statistics": "ops.reduce ops.scan ops.order ops.statistics",
    "Matrices and Fourier transforms": "ops.matrix ops.linalg tinygrad_lite.linalg tinygrad_lite.fourier",
    "Autograd": "tinygrad_lite.autograd engine.tape engine.mode checkpointing",
    "Derivatives of functions": "tinygrad_lite.func",
    "Compile and derive": "compiler textbook tinygrad_lite.compiler",
    "Views": "view tinygrad_lite.view tinygrad_lite.view.plot",
    "Layers": "tinygrad_lite.nn",
    "Functions of networks": "tinygrad_lite.nn.functional nn.functional",
    "Initialization and tools for modules": "tinygrad_lite.nn.init tinygrad_lite.nn.utils",
    "Generation, batching, by hand": "tinygrad_lite.nn.generation tinygrad_lite.nn.batching tinygrad_lite.nn.by_hand",
    "Optimizers": "tinygrad_lite.optim",
    "Data and saving": "tinygrad_lite.data saving",
    "Distributions": "tinygrad_lite.distributions",
    "Estimators": "tinygrad_lite.estimators",
    "Models and training": "tinygrad_lite.models tinygrad_lite.training",
    "More than one process": "tinygrad_lite.parallel",
    "Drills": "tinygrad_lite.drills",
    "PyTorch programs": "tinygrad_lite.compat tinygrad_lite.sparse tinygrad_lite.testing tinygrad_lite.amp devices"}


def reference_pages() -> dict[str, tuple[str, str]]:
    """The pages of the reference: file -> (title, text)."""
    entries: dict[str, list[reference.Public]] = {title: [] for title in GROUPS}
    for entry in sorted(reference.public(), key=lambda entry: entry.name != "Tensor"):  # it comes first
        entries[_group(entry)].append(entry)
    pages = {}
    for title, found in entries.items():
        parts = [f"# {title}\n"]
        for k, entry in enumerate(found):
            if entry.namespace != "tinygrad_lite" and (k == 0 or found[k - 1].namespace != entry.namespace):
                name = entry.namespace.replace("tinygrad_lite", "tl")
                about = (inspect.getdoc(reference.holder(entry.namespace)) or "").partition("\n")[0]
                parts.append(f"## {name}\n\n{about}\n")
            parts.append(f"::: {entry.path}\n    options:\n      heading_level: 3\n")
        pages[f"reference/{re.sub('[ ,]+', '_', title.lower())}.md"] = title, "\n".join(parts)
    return pages


def _group(entry: reference.Public) -> str:
    """The page that a name stands on: of the group that names its file or its namespace, most narrowly."""
    place = entry.namespace
    if place == "tinygrad_lite":
        place = Path(entry.file).with_suffix("").as_posix().removeprefix("tinygrad_lite/").replace("/", ".")
    while place:
        for title, places in GROUPS.items():
            if place in places.split():
                return title
        place = place.rpartition(".")[0]
    raise PluginError(f"{entry.path}: no group of docs/hooks.py names {entry.file}")


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
        return f"]({config.extra['repository']}/blob/main/{inside}{match['anchor'] or ''})"

    return OUTSIDE.sub(target, markdown)


def on_page_content(html, page, config, files):
    """Formulas become MathML, which browsers show without a script; a picture leads to its file, where it is large.

    Links in notebooks become those of the site.
    """
    if page.file.src_uri.startswith("notebooks/"):
        return CELL.sub(lambda cell: LINK.sub(lambda link: _in_site(link, page, files), cell[0]), html)

    def formula(match: re.Match) -> str:
        display = "block" if match["tag"] == "div" else "inline"
        tex = match["tex"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return latex2mathml.converter.convert(tex, display=display)

    return PICTURE.sub(r'<a href="\g<source>">\g<0></a>', FORMULA.sub(formula, html))


def _in_site(link: re.Match, page, files) -> str:
    """A link of a notebook, which mkdocs passes over, as one to a page; an error where there is none."""
    folder, file = posixpath.dirname(page.file.src_uri), f"{link['path']}.{link['ending']}"
    source = posixpath.normpath(posixpath.join(folder, file))
    if files.get_file_from_path(source) is None:
        raise PluginError(f"{page.file.src_uri}: there is no page {source}")
    return f'href="{link["path"]}.html{link["anchor"] or ""}"'
