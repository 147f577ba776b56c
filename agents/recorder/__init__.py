"""Recording agents: `record` around any Python code, and the journal by which a crash loses nothing.

In `redacting` a run loses its secrets, `events` makes steps of what was heard, `journal` keeps what is done on disk
while a run goes on, and `recording` has `record` itself.
"""

from ifonly.agents.recorder.journal import INTERRUPTED, Journal, recover, trajectory_of
from ifonly.agents.recorder.recording import Recording, agent, record

__all__ = ["INTERRUPTED", "Journal", "Recording", "agent", "record", "recover", "trajectory_of"]
