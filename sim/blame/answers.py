"""The shape of blame: what `--json`, Python and the HTML page show alike. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ifonly.agents.actions import Action
from ifonly.scm.estimate import Estimate
from ifonly.scm.joint_causes import Kind
from ifonly.sim.answers import Verdict
from ifonly.sim.blame.failure import Failure
from ifonly.sim.blame.live_answers import LiveBlame, Sensitivity

__all__ = [
    "Attempt",
    "Baselines",
    "BlameAnswer",
    "BlameVerdict",
    "Evidence",
    "Fix",
    "Flips",
    "Interaction",
    "JointBlame",
    "Origin",
    "Part",
    "Source",
    "StepBlame",
]

Part = Literal["call", "result", "reply", "environment", "prompt"]
"""What of a step is changed: a tool's call or its result, a model's reply, the first state of the tools, a prompt."""

Source = Literal["drop", "clean", "re-executed", "recorded reply", "other model", "good run", "redraw", "named"]
"""Where an alternative comes from: see `ifonly.sim.blame.alternatives`."""

Flips = Literal["certain", "likely", "jointly", "no", "open"]
"""Whether changing a step averts the failure: settled (exact, or surviving the correction for many questions); more
probable than not on the recorded draws; only together with others (it has a share); not; not settled."""

Evidence = Literal["effect", "only way", "injection", "arguments"]
"""What ties a result to a blamed call: see `Origin`."""

BlameVerdict = Literal["blamed", "abstained"]
"""Whether there is somebody to blame; if not, `BlameAnswer.reason` says why."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attempt(_Answer):
    """One what-if at a step.

    Attributes:
        action: what was done; ``ifonly whatif --action`` takes it.
        source: where it comes from.
        continuation: what happened after the divergence.
        estimand: ``direct`` (later replies held) or ``total`` (later replies as they would have been).
        failure: probability of the failure under the action.
        others: the other scores under it.
        control: probability of the failure in the unchanged run, asked again from where the worlds part (or, of a
            step that is itself asked again, from the next model step on); exact where nothing is left to ask. Only
            where models were asked now.
        change: control less failure, pair by pair; only where models were asked now, under fresh noise.
        particles: re-runs in each arm, where models were asked now.
        sensitivity: the same under each noise model, where the probabilities of the options are known.
        verdict: of the what-if.
        reason: why it is not settled.
    """

    action: Action
    source: Source
    continuation: str
    estimand: Literal["direct", "total"]
    failure: Estimate
    others: dict[str, Estimate] = Field(default_factory=dict)
    control: Estimate | None = None
    change: Estimate | None = None
    particles: int | None = None
    sensitivity: Sensitivity | None = None
    verdict: Verdict
    reason: str | None = None

    @property
    def averts(self) -> bool:
        """Whether the failure is averted more probably than not, and more often than by asking again."""
        gained = self.change is None or (self.change.value or 0.0) > 0
        return self.failure.value is not None and self.failure.value < 1 / 2 and gained


class StepBlame(_Answer):
    """What one step has to do with the failure.

    Attributes:
        site: of the step.
        part: what of it is changed.
        kind: tool, model, environment, or input (a prompt).
        name: of the tool, or of the model.
        flips: whether changing it averts the failure: the surest that any of its what-ifs says.
        action: the what-if that the numbers are of; None where no alternative is known.
        source: where that comes from.
        estimand: of these numbers: see `Attempt`.
        counterfactual: P(averted) in this very run, its noise kept; of replies that were asked now with fresh noise,
            P(averted) with that noise, and of the interventional rung.
        interventional: P(failure) as it was less P(failure) under the action, all later noise fresh.
        necessity: PN = P(no failure, had the action been done | the step as it was, and the failure): the value where
            it is exact, else Tian and Pearl's bounds.
        sufficiency: PS: would this step make a good run fail?
        why_not_sufficiency: why there is none.
        sensitivity: `counterfactual` under each noise model; None where the options' probabilities are not known.
        shapley: share of the failure, over all sets of calls (replies held); None of what is no player.
        live_share: of a model step: its share of the failure beyond luck, over sets of model steps, the others asked
            anew (`ifonly.sim.blame.live_game`); None where that was not asked.
        made: of a reply with calls: the sum of their shares.
        p_value: adjusted for all steps tested, where the answer was drawn; else None.
        why: what is missing, where nothing is known.
        attempts: all what-ifs at this step.
    """

    site: str
    part: Part
    kind: Literal["tool", "model", "environment", "input"]
    name: str
    flips: Flips
    action: Action | None = None
    source: Source | None = None
    estimand: Literal["direct", "total"] | None = None
    counterfactual: Estimate | None = None
    interventional: Estimate | None = None
    necessity: Estimate | None = None
    sufficiency: Estimate | None = None
    why_not_sufficiency: str | None = None
    sensitivity: Sensitivity | None = None
    shapley: Estimate | None = None
    live_share: Estimate | None = None
    made: float | None = None
    p_value: float | None = None
    why: str | None = None
    attempts: tuple[Attempt, ...] = ()


class Interaction(_Answer):
    """Shapley interaction of two calls: negative where one suffices, positive where both are needed."""

    sites: tuple[str, str]
    value: Estimate


class JointBlame(_Answer):
    """Calls without which the failure would not have been, and how they share the work.

    Attributes:
        sites: a smallest set whose omission averts the failure.
        kind: but-for, overdetermination, preemption or joint: see `ifonly.scm.joint_causes.JointCause`.
        causes: of a preemption, those that did it; the others stood by.
    """

    sites: tuple[str, ...]
    kind: Kind
    causes: tuple[str, ...] = ()


class Origin(_Answer):
    """A tool result, or the first state, that led to the blamed call.

    Attributes:
        site: of the result; ``environment/0`` for the first state.
        leads_to: the call it led to.
        evidence: ``effect`` (without it the failure is more probably averted than not), ``only way`` (that is so of
            the whole injection, which reached the agent by this result alone), ``injection`` (executed with and
            without the injection, its results differ), ``arguments`` (what the injection put there is what the call
            was made with).
        effect: P(averted), had it been clean; None where that was not asked.
    """

    site: str
    leads_to: str
    evidence: tuple[Evidence, ...]
    effect: Estimate | None = None

    @property
    def named(self) -> bool:
        """Whether this is evidence enough to name it as the cause."""
        return bool({"effect", "only way", "arguments"} & set(self.evidence))


class Fix(_Answer):
    """Actions that avert the failure, verified by a what-if.

    Attributes:
        actions: what is done; ``ifonly whatif --action`` runs each.
        continuation: under which it was verified.
        necessity: P(averted) under them: PN of what they replace, where their noise is the recorded run's.
        rerun: P(averted) by asking again from there, unchanged; only where models were asked now.
        others: the other scores under them.
        cost: US dollars paid to answer; those of live fixes count once, in the answer.
        calls: live model calls made.
    """

    actions: tuple[Action, ...]
    continuation: str
    necessity: Estimate
    rerun: Estimate | None = None
    others: dict[str, Estimate]
    cost: float = 0.0
    calls: int = 0


class Baselines(_Answer):
    """What simpler rules say.

    Attributes:
        last_step: the last step of the run.
        lowest_logprob: the model step whose tokens were least probable, on average; None where none were recorded.
        rerun: how often other recorded runs of the same model and task, from the same state, did not fail: luck.
        why_not_rerun: why there is no such control.
        rerun_live: how often this run, asked again now from its first model step, did not fail; None where that was
            not asked.
    """

    last_step: str | None
    lowest_logprob: str | None
    rerun: Estimate | None
    why_not_rerun: str | None = None
    rerun_live: Estimate | None = None


class BlameAnswer(_Answer):
    """Which steps a run's failure is due to.

    Attributes:
        run: id of the recorded run.
        task: its task, the cluster for intervals over runs.
        model: that it ran with.
        prompt: its first system prompt; None where the log has none.
        failure: what counts as failure; None where the run did not fail.
        verdict: blamed, or abstained.
        reason: why abstained.
        earliest: the earliest site whose change averts the failure for certain.
        latest: the latest such site: the point of commitment.
        flip_set: all such sites, in order.
        likely: sites whose change more probably averts it than not, but not for certain.
        ranked: sites by blame, most first; only such as have any.
        steps: every step that was asked about.
        joint: smallest sets of calls that avert the failure together.
        interactions: pairs of calls that share the work.
        origins: results that led to the blamed call.
        fixes: least change first.
        rollup: Shapley credit by tool, model and agent.
        baselines: beside it.
        players: the calls (or replies) that the Shapley credit is shared among.
        executions: how often the run was executed again for it.
        calls: live model calls made; none where the answer is from recordings and re-execution alone.
        cost: their price in US dollars; None where the price of one is not known.
        live: what was asked of models; None where nothing was to be.
        assumes: what the answer rests on.
    """

    version: Literal[1] = 1
    run: str
    task: str
    model: str
    prompt: str | None = None
    failure: Failure | None
    verdict: BlameVerdict
    reason: str | None = None
    earliest: str | None = None
    latest: str | None = None
    flip_set: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()
    ranked: tuple[str, ...] = ()
    steps: tuple[StepBlame, ...] = ()
    joint: tuple[JointBlame, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    origins: tuple[Origin, ...] = ()
    fixes: tuple[Fix, ...] = ()
    rollup: dict[Literal["tool", "model", "agent"], dict[str, float]] = Field(default_factory=dict)
    baselines: Baselines | None = None
    players: tuple[str, ...] = ()
    executions: int = 0
    calls: int = 0
    cost: float | None = 0.0
    live: LiveBlame | None = None
    assumes: tuple[str, ...] = ()
