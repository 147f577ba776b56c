"""The discrete-event engine: traffic through a world of services, as a timeline. Nothing else knows simpy.

| module | what |
|---|---|
| `clock` | simulated time: simpy, at absolute times |
| `chance` | the uniforms of every attempt, keyed by its name |
| `attempt` | one attempt: what a service and its client know of it |
| `limiter`, `promptcache` | a rate limit and a prompt cache |
| `station` | a service: its door, its queue, its slots |
| `routing` | which service an attempt is put to, and which are cooling down |
| `asking` | a call: attempts, timeouts, retries, hedges, fallbacks |
| `running` | a request: the graph of its calls |
| `simulate` | all of it together |

Everything is a callback on the clock; none calls another that could call it back without the clock in between: no chain
of failures, however long, is a recursion.
"""
