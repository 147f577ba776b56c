"""What each step might have been instead: the what-ifs that blame asks.

| source | at | action |
|---|---|---|
| ``drop`` | every tool call; a reply without calls | not made, not said |
| ``clean`` | results that carried an injection, ``environment/0`` | what is given without it |
| ``re-executed`` | a result that differs from what the tool gives today | the tool without its noise |
| ``recorded reply`` | model steps | another reply that this model gave to the equal request |
| ``other model`` | model steps | a model that was asked the equal request, from here on |
| ``good run`` | tool calls; replies after equal calls | what stands at this site in a run that did not fail |

Good runs are of the same task. Text from outside (a prompt) has no alternative that a log knows of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ifonly.agents.actions import ENVIRONMENT, CallAction, DropAction, ModelAction, ReplyAction, ResultAction
from ifonly.agents.canonical import canonical_json
from ifonly.agents.environments.base import Undetermined
from ifonly.agents.errors import ActionError, ToolEnvironmentError
from ifonly.agents.records import ModelStep, ToolStep
from ifonly.sim.clean import clean_environment, clean_result, injected_sites

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from ifonly.agents.actions import Action
    from ifonly.agents.corpus import Corpus
    from ifonly.agents.records import AssistantMessage, Trajectory
    from ifonly.agents.rerun import Rerun
    from ifonly.sim.blame.answers import Part, Source
    from ifonly.sim.blame.failure import Failure
    from ifonly.sim.blame.held import HeldRun

__all__ = ["Alternative", "alternatives", "carriers", "good_runs"]

_MOST = 3
"""Alternatives of one source at one step, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Alternative:
    """One thing that a step might have been.

    Args:
        site: of the step.
        part: what of it differs.
        action: that makes it so.
        source: where it comes from.
    """

    site: str
    part: Part
    action: Action
    source: Source


def alternatives(
    run: Trajectory, held: HeldRun, rerun: Rerun, good: Sequence[Trajectory], corpus: Corpus | None
) -> tuple[Alternative, ...]:
    """Every alternative that is known of the steps of a run, in their order.

    Args:
        run: the recorded run.
        held: the same, to be executed without some of its calls.
        rerun: its tools.
        good: runs of its task that did not fail.
        corpus: other recorded runs, if there are any.
    """
    found = list(_environment(run))
    found += [Alternative(site, "result", clean_result(run, rerun, site), "clean") for site in carriers(run, rerun)]
    for step in run.steps:
        if isinstance(step, ToolStep):
            found.append(Alternative(step.site, "call", DropAction(site=step.site), "drop"))
            found += _noise(step, held)
            found += _better_calls(step, good)
        elif isinstance(step, ModelStep):
            if not step.reply.tool_calls:
                found.append(Alternative(step.site, "reply", DropAction(site=step.site), "drop"))
            found += _said_otherwise(run, step, corpus)
            found += _better_replies(run, step, good)
    place = {site: index for index, site in enumerate((ENVIRONMENT, *run.sites))}
    return tuple(sorted(found, key=lambda one: place[one.site]))


def carriers(run: Trajectory, rerun: Rerun) -> tuple[str, ...]:
    """The tool steps whose results carried an injection, as far as executing tells; none where there was none."""
    try:
        return tuple(site for site in injected_sites(run, rerun) if _put(run, rerun, site))
    except (ActionError, ToolEnvironmentError):
        # Not attacked, or the log alone cannot make the clean world: then nothing is known of carriers.
        return ()


def good_runs(run: Trajectory, corpus: Corpus | None, failure: Failure) -> tuple[Trajectory, ...]:
    """Recorded runs of the same task that did not fail, those of the same model and agent first."""
    others = () if corpus is None else corpus.runs
    same = [one for one in others if one.task == run.task and one.id != run.id and one.steps and not one.outcome.error]
    good = [one for one in same if failure.of(one) is False or (failure.of(one) is None and _solved(one))]
    return tuple(sorted(good, key=lambda one: (one.model != run.model, one.agent != run.agent)))


def _solved(run: Trajectory) -> bool:
    """Whether a run without the score in question has others, and none of them is false or 0."""
    return bool(run.outcome.scores) and all(run.outcome.scores.values())


def _put(run: Trajectory, rerun: Rerun, site: str) -> bool:
    try:
        clean_result(run, rerun, site)
    except ActionError:
        return False
    return True


def _environment(run: Trajectory) -> Iterator[Alternative]:
    try:
        yield Alternative(ENVIRONMENT, "environment", clean_environment(run), "clean")
    except ActionError:
        # The run was not attacked: its first state has no alternative.
        return


def _noise(step: ToolStep, held: HeldRun) -> Iterator[Alternative]:
    """The result without the noise that the recording shows; where a log answers, today's result is the recorded."""
    today = held.today[step.site]
    if not isinstance(today, Undetermined) and today != step.result and not held.environment.logs(step.call):
        action = ResultAction(site=step.site, content=today.content, error=today.error)
        yield Alternative(step.site, "result", action, "re-executed")


def _better_calls(step: ToolStep, good: Sequence[Trajectory]) -> Iterator[Alternative]:
    actions: dict[str, CallAction] = {}
    own = canonical_json([step.call.name, step.call.arguments])
    for run in good:
        other = next((one for one in run.steps if one.site == step.site), None)
        if isinstance(other, ToolStep):
            key = canonical_json([other.call.name, other.call.arguments])
            if key != own:
                action = CallAction(site=step.site, tool=other.call.name, arguments=other.call.arguments)
                actions.setdefault(key, action)
    for action in list(actions.values())[:_MOST]:
        yield Alternative(step.site, "call", action, "good run")


def _better_replies(run: Trajectory, step: ModelStep, good: Sequence[Trajectory]) -> Iterator[Alternative]:
    """What good runs said here, after the same calls: elsewhere it would be no answer to what was asked."""
    replies: dict[str, AssistantMessage] = {}
    before = _calls_before(run, step.site)
    for one in good:
        other = next((other for other in one.steps if other.site == step.site), None)
        otherwise = isinstance(other, ModelStep) and _key(other.reply) != _key(step.reply)
        if isinstance(other, ModelStep) and otherwise and _calls_before(one, step.site) == before:
            replies.setdefault(_key(other.reply), other.reply)
    for reply in list(replies.values())[:_MOST]:
        yield Alternative(step.site, "reply", _saying(step.site, reply), "good run")


def _calls_before(run: Trajectory, site: str) -> list[JsonValue]:
    steps = run.steps[: run.sites.index(site)]
    return [[step.call.name, step.call.arguments] for step in steps if isinstance(step, ToolStep)]


def _said_otherwise(run: Trajectory, step: ModelStep, corpus: Corpus | None) -> Iterator[Alternative]:
    """Other replies of this model to the equal request, most frequent first; and the models that were asked it, too."""
    if corpus is None:
        return
    key = corpus.key(step.request)
    turns = corpus.turns(key, model=step.request.model, besides=run.id)
    replies = {_key(one.reply): one.reply for one in (turn.step for turn in turns) if isinstance(one, ModelStep)}
    counts = Counter(_key(turn.step.reply) for turn in turns if isinstance(turn.step, ModelStep))
    for name, _ in [pair for pair in counts.most_common() if pair[0] != _key(step.reply)][:_MOST]:
        yield Alternative(step.site, "reply", _saying(step.site, replies[name]), "recorded reply")
    for model in sorted(corpus.models(key) - {step.request.model})[:_MOST]:
        yield Alternative(step.site, "reply", ModelAction(site=step.site, model=model), "other model")


def _saying(site: str, reply: AssistantMessage) -> ReplyAction:
    return ReplyAction(site=site, content=reply.content, tool_calls=reply.tool_calls)


def _key(reply: AssistantMessage) -> str:
    """A reply but for the ids of its calls, which providers draw at random."""
    calls: list[JsonValue] = [[call.name, call.arguments] for call in reply.tool_calls]
    return canonical_json([reply.content, calls])
