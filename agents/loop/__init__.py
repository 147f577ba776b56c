"""The ready agent: an ordinary tool-calling loop, recorded as it runs.

Ask the model, make the calls of its reply in order, show it the results, until a reply makes no call or the number of
model steps is used up. Sites, reads and requests are those of `ifonly.agents.sites.steps_of`, so a run lifts to a
causal model, and its twin is the run itself.
"""

from ifonly.agents.loop.run import MAX_STEPS, Workplace, run_agent, workplace
from ifonly.agents.loop.spec import AgentSpec, Models, Router

__all__ = ["MAX_STEPS", "AgentSpec", "Models", "Router", "Workplace", "run_agent", "workplace"]
