"""What mkdocstrings shows of a public name: the signature and the docstring that it has when the library runs.

Operations are made by `primitive`, layers by naming a function, methods by a loop: the source alone does not tell.
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))

import reference  # noqa: E402

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: griffe.ParameterKind.positional_only,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: griffe.ParameterKind.positional_or_keyword,
    inspect.Parameter.VAR_POSITIONAL: griffe.ParameterKind.var_positional,
    inspect.Parameter.KEYWORD_ONLY: griffe.ParameterKind.keyword_only,
    inspect.Parameter.VAR_KEYWORD: griffe.ParameterKind.var_keyword}
OF_EVERY_MODULE = ("forward", "extra_repr", "reset_parameters", "settle")
SPECIAL = re.compile(r"(`[^`]*`)|([*_\[\]<])")


class Inspected(griffe.Extension):
    """Puts what runs in place of what griffe reads."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Replace the members of namespaces by the public names as they are."""
        for entry in reference.public():
            holder: Any = pkg
            for part in entry.namespace.split(".")[1:]:
                if part not in holder.members:
                    holder.set_member(part, griffe.Module(part))
                holder = holder.members[part]
                if holder.is_alias:
                    holder = holder.final_target
            holder.set_member(entry.name, shown(entry.name, entry.value))


def shown(name: str, value: Any) -> Any:
    """A class with its own methods, a property, or a function."""
    text = griffe.Docstring(markdown(inspect.getdoc(value) if not inspect.isclass(value) else value.__doc__))
    if isinstance(value, property):
        found = griffe.Attribute(name, docstring=text)
        found.labels.add("property")
        return found
    if not inspect.isclass(value):
        return griffe.Function(name, parameters=_parameters(value), docstring=text)
    found = griffe.Class(name, docstring=text)
    found.set_member("__init__", griffe.Function("__init__", parameters=_parameters(value.__init__)))
    listed = value is reference.tl.Tensor  # by themselves
    for method, what in () if listed else vars(value).items():
        said = (inspect.isfunction(what) or isinstance(what, property)) and inspect.getdoc(what)
        if said and not method.startswith("_") and method not in OF_EVERY_MODULE:
            found.set_member(method, shown(method, what))
    return found


def _parameters(value: Any) -> griffe.Parameters:
    try:
        signature = inspect.signature(value)
    except ValueError:  # of a class that is written in C
        return griffe.Parameters()
    return griffe.Parameters(*(
        griffe.Parameter(p.name, kind=KINDS[p.kind], default=None if p.default is p.empty else _default(p.default))
        for p in signature.parameters.values()))


def _default(value: Any) -> str:
    """As one would write it."""
    return value.__name__ if callable(value) and hasattr(value, "__name__") else re.sub(r" at 0x\w+", "", repr(value))


def markdown(docstring: str | None) -> str:
    """A docstring, its signs as signs and its example as a session."""
    prose, prompt, example = inspect.cleandoc(docstring or "").partition(">>>")
    paragraphs = []
    for paragraph in prose.strip().split("\n\n"):
        indented = paragraph.startswith("    ")  # it is code
        paragraphs.append(paragraph if indented else SPECIAL.sub(lambda m: m[1] or "\\" + m[2], paragraph))
    if prompt:
        paragraphs.append(f"```pycon\n>>>{example}\n```")
    return "\n\n".join(paragraphs)
