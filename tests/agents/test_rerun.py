"""Re-execution is a pure function of the history, whatever was asked before."""

from hypothesis import given
from hypothesis import strategies as st

from ifonly.agents.records import EnvironmentRef, ToolCall, ToolResult
from ifonly.agents.rerun import Rerun

REF = EnvironmentRef(name="tape", version="1", task="t")


class Tape:
    """Each result tells all calls so far; opening and calling are counted."""

    executes = True

    def logs(self, call):
        return False

    def __init__(self):
        self.opened = self.called = 0

    def open(self, ref):
        self.opened += 1
        return _Session(self, ref)

    def tools(self, ref):
        return ()


class _Session:
    def __init__(self, tape, ref):
        self.tape, self.said = tape, [ref.task]

    def call(self, call):
        self.tape.called += 1
        self.said.append(call.name)
        return ToolResult(content=",".join(self.said))

    def score(self, messages):
        return {"calls": float(len(self.said) - 1)}


def history(names):
    return tuple(ToolCall(name=name, arguments={}) for name in names)


@given(st.lists(st.text("abc", min_size=1, max_size=4), max_size=8))
def test_results_depend_on_the_history_alone(histories):
    rerun = Rerun(Tape())
    for names in histories:
        assert rerun.result(REF, history(names)).content == ",".join(["t", *names])
        assert rerun.score(REF, history(names), ()) == {"calls": float(len(names))}


def test_a_longer_history_goes_on_in_the_open_session():
    tape = Tape()
    rerun = Rerun(tape)
    for length in range(1, 5):
        rerun.result(REF, history("abcd"[:length]))
    assert (tape.opened, tape.called) == (1, 4)


def test_what_was_seen_is_not_executed_again():
    tape = Tape()
    rerun = Rerun(tape)
    rerun.result(REF, history("abc"))
    rerun.result(REF, history("ab"))
    rerun.result(REF, history("ax"))
    rerun.result(REF, history("abc"))
    assert (tape.opened, tape.called) == (2, 5)


def test_another_reference_is_another_world():
    rerun = Rerun(Tape())
    rerun.result(REF, history("a"))
    other = REF.model_copy(update={"task": "u"})
    assert rerun.result(other, history("a")).content == "u,a"
