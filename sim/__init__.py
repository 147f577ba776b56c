"""Where trajectories meet causal models: lifting a run to a world and its facts, what-if, rollouts."""
