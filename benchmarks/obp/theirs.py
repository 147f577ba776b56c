"""Open Bandit Pipeline's side of `benchmarks/ope.py`, run in an environment of its own: imports nothing of ifonly.

`python theirs.py LOG.npz LAMBDA REPEATS RESAMPLES` prints one JSON object: values, CPU milliseconds of the seven
estimators together, and, if RESAMPLES is not 0, the CPU seconds and the interval of a bootstrap of DR and of SNIPW.
"""

import json
import sys
import time
from statistics import median

import numpy as np
from obp import __version__
from obp.ope import estimators


def main() -> None:
    path, lambda_, repeats, resamples = sys.argv[1], *map(float, sys.argv[2:5])
    arrays = np.load(path)
    plain = {
        "reward": arrays["rewards"],
        "action": arrays["actions"],
        "pscore": arrays["propensities"],
        "action_dist": arrays["policy"][:, :, None],
    }
    model = {"estimated_rewards_by_reg_model": arrays["model"][:, :, None]}
    seven = {
        "ipw": (estimators.InverseProbabilityWeighting(), plain),
        "snipw": (estimators.SelfNormalizedInverseProbabilityWeighting(), plain),
        "dm": (estimators.DirectMethod(), plain | model),
        "dr": (estimators.DoublyRobust(), plain | model),
        "sndr": (estimators.SelfNormalizedDoublyRobust(), plain | model),
        "switch-dr": (estimators.SwitchDoublyRobust(lambda_=lambda_), plain | model),
        "dr-os": (estimators.DoublyRobustWithShrinkage(lambda_=lambda_), plain | model),
    }
    values, spent = {}, []
    for turn in range(int(repeats) + 1):
        start = time.process_time()
        for name, (estimator, given) in seven.items():
            values[name] = float(estimator.estimate_policy_value(**given))
        if turn:
            spent.append(1e3 * (time.process_time() - start))
    clipped = {
        "ipw clipped": (estimators.InverseProbabilityWeighting(lambda_=lambda_), plain),
        "dr clipped": (estimators.DoublyRobust(lambda_=lambda_), plain | model),
    }
    values |= {name: float(estimator.estimate_policy_value(**given)) for name, (estimator, given) in clipped.items()}
    intervals = {}
    for name in ("dr", "snipw") if resamples else ():
        estimator, given = seven[name]
        start = time.process_time()
        found = estimator.estimate_interval(**given, n_bootstrap_samples=int(resamples), random_state=0)
        low, high = (float(v) for k, v in found.items() if "CI" in k)
        intervals[name] = {"seconds": time.process_time() - start, "low": low, "high": high}
    print(json.dumps({"version": __version__, "values": values, "milliseconds": median(spent), "intervals": intervals}))


if __name__ == "__main__":
    main()
