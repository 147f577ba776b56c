"""One benchmark that holds every estimator to every world: what it says, and whether that is so.

| module | what |
|---|---|
| `contest` | estimators that answer the same questions from the same draws |
| `worlds` | contests of the worlds of the catalog |
| `bandits` | values of policies, from the log of a bandit that is known whole |
| `workflows` | what-ifs of failed agent runs, whose answers are exact |
| `catalog` | all contests, by name |
| `rows` | bias, error, coverage, width and cost, from the rounds of a contest |
| `playing` | plays contests in processes, resumably |

To add an estimator to a world: name it in the world's query. To add a world: one file (see `ifonly.scenarios.known`).
"""
