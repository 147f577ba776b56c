"""What-ifs about time, cost and load: recorded traffic through changed services, with the same noise.

| module | what |
|---|---|
| `edits` | what may be changed, as pure data with words |
| `places` | values put at dotted places of a world |
| `following` | a saved rule that chooses each run's model |
| `applying` | edits applied to a world and its traffic |
| `replications` | both worlds, as often as something must be drawn |
| `numbers` | replications as estimates |
| `laws_anew` | the same under laws of resampled calls |
| `asking` | the answer |
| `sweeps` | settings side by side, and their front |
| `whole` | all of it, from recorded runs to the answer |
| `files` | world files |
"""

from ifonly.sim.simulate.answers import SimulateAnswer
from ifonly.sim.simulate.asking import answer
from ifonly.sim.simulate.edits import Follow, Outage, Put, Scale, Swap
from ifonly.sim.simulate.files import read_world, world_text
from ifonly.sim.simulate.replications import Replayer
from ifonly.sim.simulate.sweeps import sweep
from ifonly.sim.simulate.whole import simulate

__all__ = [
    "Follow",
    "Outage",
    "Put",
    "Replayer",
    "Scale",
    "SimulateAnswer",
    "Swap",
    "answer",
    "read_world",
    "simulate",
    "sweep",
    "world_text",
]
