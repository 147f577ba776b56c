"""The world of services as pure data: what a simulation is told. No clock here, no chance, no simpy.

| module | what |
|---|---|
| `service` | an endpoint or tool: capacity, limits, latency, failures, outages, price, prompt cache |
| `client` | how callers behave: timeout, retries, hedging, fallbacks |
| `requests` | traffic: requests as graphs of calls, with arrival times |
| `world` | services, clients and routes together |
| `timeline` | what comes out: a span for every attempt, an end for every request |
"""
