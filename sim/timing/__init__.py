"""Recorded runs as traffic: the graph of their calls, laws of their services, and the noise that the records show.

| module | what |
|---|---|
| `kinds` | how a recorded error says that a service failed |
| `graph` | what each call waited for |
| `prompts` | tokens that are not told, and shared beginnings of prompts |
| `recorded` | a trajectory as traffic, before any law |
| `fitting` | the laws of services |
| `refitting` | laws fitted anew to resampled calls |
| `together` | whether a service's slowest calls came together |
| `abduction` | the traffic of a replication: abducted noise, and draws from its posterior |
| `fitted` | all of it together, and what it assumes |
"""

from ifonly.sim.timing.abduction import Traffic
from ifonly.sim.timing.answers import ServiceFit, TimingReport
from ifonly.sim.timing.fitted import FittedTraffic, fit_traffic
from ifonly.sim.timing.recorded import RecordedRun, recorded_run

__all__ = ["FittedTraffic", "RecordedRun", "ServiceFit", "TimingReport", "Traffic", "fit_traffic", "recorded_run"]
