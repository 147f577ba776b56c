"""The world of services as pure data: what a simulation is told. No clock here, no simpy.

| module | what |
|---|---|
| `service` | an endpoint or tool: capacity, limits, latency, failures, outages, price, prompt cache |
| `client` | how callers behave: timeout, retries, hedging, fallbacks |
| `requests` | traffic: requests as graphs of calls, with arrival times |
| `world` | services, clients and routes together |
| `arrivals` | when requests come: recorded, Poisson, in bursts, in a closed loop |
| `traffic` | what the world must know of the traffic |
| `timeline` | what comes out: a span for every attempt, an end for every request |
| `metrics` | what a timeline comes to |
"""
