"""Would another model have solved it? Runs as cells of an item-response world, and its answers.

- `cells`: a run as a cell: who (model, agent), on what (task, injection), under which attack
- `layout`: the facets that such cells are made of
- `world`: `SwapWorld`, fitted to the runs of a corpus; `answer`: what it says of one run under another model
- `settled`: swaps that a corpus settles, which are the truth that a world is held to; `shared`: what they tell of the
  luck that a swapped run keeps
"""
