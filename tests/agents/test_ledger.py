"""Irreversible effects happen once, whenever the process is killed."""

import asyncio
import json
import subprocess
import sys

import pytest

from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import InputError
from ifonly.agents.records import ToolResult
from ifonly.agents.toolbox.ledger import Ledger, effect_key

KEY = effect_key("run", "pay/0", "pay", {"amount": 3})


def once(ledger, key=KEY, *, again=False, text="paid", made=None):
    async def effect():
        if made is not None:
            made.append(key)
        return ToolResult(content=text)

    return asyncio.run(ledger.once(key, effect, again=again))


def test_keys_tell_run_site_tool_and_arguments_apart():
    assert effect_key("run", "pay/0", "pay", {"amount": 3}) == KEY
    assert len(KEY) == 32
    others = [
        effect_key("other", "pay/0", "pay", {"amount": 3}),
        effect_key("run", "pay/1", "pay", {"amount": 3}),
        effect_key("run", "pay/0", "play", {"amount": 3}),
        effect_key("run", "pay/0", "pay", {"amount": 3.0}),
    ]
    assert len({KEY, *others}) == 5


def test_an_effect_is_made_once_and_remembered(tmp_path):
    made = []
    ledger = Ledger(tmp_path / "effects")
    assert not (tmp_path / "effects").exists()
    assert once(ledger, made=made) == once(ledger, made=made) == ToolResult(content="paid")
    assert once(Ledger(tmp_path / "effects"), made=made, text="twice").content == "paid"
    assert made == [KEY]
    lines = [json.loads(line) for line in (tmp_path / "effects").read_text().splitlines()]
    assert lines == [{"do": "begin", "key": KEY}, {"do": "done", "key": KEY, "result": {"content": "paid"}}]
    assert (tmp_path / "effects").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("torn", ["", '{"do":"done","key', "\n"])
def test_begun_but_not_done(tmp_path, torn):
    """A crash between effect and record: asked again with the same key if that is honoured, else never."""
    path, made = tmp_path / "effects", []
    path.write_text(f'{{"do":"begin","key":"{KEY}"}}\n{torn}'.replace("\n\n", "\n"))
    for _ in range(2):
        said = once(Ledger(path), made=made)
        assert isinstance(said, Undetermined)
        assert KEY in said.why
    assert made == []
    assert once(Ledger(path), made=made, again=True).content == "paid"
    assert once(Ledger(path), made=made).content == "paid"
    assert made == [KEY]


def test_a_torn_begin_is_nothing(tmp_path):
    path, made = tmp_path / "effects", []
    path.write_text(f'{{"do":"begin","key":"{KEY}"')
    assert once(Ledger(path), made=made).content == "paid"
    assert once(Ledger(path), made=made).content == "paid"
    assert made == [KEY]


def test_an_effect_that_is_interrupted_stays_begun(tmp_path):
    ledger = Ledger(tmp_path / "effects")

    async def effect():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ledger.once(KEY, effect, again=False))
    assert isinstance(once(Ledger(tmp_path / "effects")), Undetermined)


def test_a_line_that_is_no_entry_stops_everything(tmp_path):
    path = tmp_path / "effects"
    path.write_text('{"do":"begin","key":"a"}\nnonsense\n{"do":"begin","key":"b"}\n')
    with pytest.raises(InputError, match="record 2"):
        Ledger(path)


def test_secrets_are_taken_out_of_what_is_written(tmp_path):
    ledger = Ledger(tmp_path / "effects", lambda value: json.loads(json.dumps(value).replace("paid", "***")))
    assert once(ledger).content == "paid"
    assert "paid" not in (tmp_path / "effects").read_text()


# One clean process forks a worker for each round and kills it at a random point. The other side of each effect is a
# folder in which a key can be made once: it honours keys, as a payment service does. A second tool has a side that
# honours none, and counts.
KILLS = """
import asyncio, json, os, random, signal, sys, time
from pathlib import Path
from ifonly.agents.records import ToolCall
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.toolbox.box import Toolbox
from ifonly.agents.toolbox.environment import PythonEnvironment
from ifonly.agents.toolbox.ledger import Ledger

folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
(folder / "tools.py").write_text('''
import os, time
from pathlib import Path
from ifonly.agents.toolbox.tools import tool

FOLDER = Path(__file__).parent

@tool
def pay(amount: int, idempotency_key: str) -> str:
    time.sleep(0.0005)
    try:
        os.close(os.open(FOLDER / f"effect-{amount}-{idempotency_key}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        with open(FOLDER / "repeats", "a") as file:
            file.write("again\\\\n")
    return f"paid {amount}"

@tool
def shout(text: str) -> str:
    with open(FOLDER / "shouts", "a") as file:
        file.write(text + "\\\\n")
    time.sleep(0.0005)
    return "heard"
''')
environment = PythonEnvironment(Toolbox.load(folder / "tools.py"))
CALLS = [ToolCall(name="pay", arguments={"amount": n}) for n in range(12)]
CALLS[4:4] = [ToolCall(name="shout", arguments={"text": str(n)}) for n in range(4)]

def work():
    session = environment.live(environment.ref("t"), "run", Ledger(folder / "effects"))
    said = [session.call(call) for call in CALLS]
    doubted = sum(isinstance(one, Undetermined) for one in said)
    done = [one.content for one in said if not isinstance(one, Undetermined)]
    (folder / "end").write_text(json.dumps([doubted, done]))

chance, killed, last = random.Random(seed), 0, 0.02
while True:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    if killed < kills:
        time.sleep(chance.uniform(0, last))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            (folder / "effects").unlink()  # it came to its end: what follows is another run
            for path in [*folder.glob("effect-*"), folder / "shouts", folder / "repeats"]:
                path.unlink(missing_ok=True)
        continue
    os.waitpid(child, 0)
    break
effects = sorted(path.name.split("-")[1] for path in folder.glob("effect-*"))
repeats = len((folder / "repeats").read_text().splitlines()) if (folder / "repeats").exists() else 0
shouts = (folder / "shouts").read_text().splitlines() if (folder / "shouts").exists() else []
end = json.loads((folder / "end").read_text())
print(json.dumps({"effects": effects, "repeats": repeats, "shouts": shouts, "end": end}))
"""


def killed_at_random(folder, kills, seed):
    command = [sys.executable, "-P", "-c", KILLS, str(folder), str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(told):
    assert told["effects"] == sorted(str(n) for n in range(12))  # each once: a second key would be a second file
    assert len(set(told["shouts"])) == len(told["shouts"])  # at most once where keys are not honoured
    doubted, said = told["end"]
    assert said.count("heard") == 4 - doubted
    assert [text for text in said if text != "heard"] == [f"paid {n}" for n in range(12)]


def test_an_effect_happens_once_whenever_the_process_is_killed(tmp_path):
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check(killed_at_random(folder, 10, seed))


@pytest.mark.slow
def test_an_effect_happens_once_over_four_hundred_kills(tmp_path):
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check(killed_at_random(folder, 10, seed))
