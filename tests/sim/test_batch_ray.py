"""The Ray executor: the rows of one process, whatever is killed. Skipped where ray is not installed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from ifonly.agents.actions import ModelAction
from ifonly.sim.batch.executors import Serial
from ifonly.sim.batch.job import Job, KnownUnits, Question
from ifonly.sim.batch.running import run_batch
from ifonly.sim.batch.work import WorkFailed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ray = pytest.importorskip("ray", reason="ray is not installed")
    from ray import cluster_utils

    from ifonly.sim.batch.cluster import RayCluster

pytestmark = [
    pytest.mark.slow,
    # Ray leaves files and sockets to be collected.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
SWAP = Question(name="big", actions=(ModelAction(site="check/0", model="big"),))


def job_of(world, count):
    return Job(ifonly="0", units=KnownUnits(world=world, count=count), questions=(SWAP,))


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each."""
    found = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    found.add_node(num_cpus=1)
    found.wait_for_nodes()
    yield found
    found.shutdown()


@pytest.fixture
def worlds(monkeypatch, tmp_path):
    """The worlds of tests, for workers too."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield {"env_vars": {"PYTHONPATH": folder, "BATCH_KILLS": str(tmp_path)}}


def test_two_nodes_give_the_rows_of_one_process(cluster, tmp_path):
    job = job_of("ifonly.scenarios.credit.replayed:commit", 2_000)
    one = run_batch(job, tmp_path / "one", Serial(), chunk=2_000)
    two = run_batch(job, tmp_path / "two", RayCluster(cluster.address), chunk=150)
    assert (one.rows_digest, one.summary) == (two.rows_digest, two.summary)
    assert not ray.is_initialized()


def test_killed_workers_are_replaced_and_a_killer_is_told(cluster, tmp_path, worlds):
    ray.init(address=cluster.address, runtime_env=worlds, log_to_driver=False, logging_level="error")
    try:
        job = job_of("batch_worlds:killing", 70)
        answer = run_batch(job, tmp_path / "out", RayCluster(), chunk=35)
        assert (answer.summary.units, answer.summary.errors) == (70, ())
        with pytest.raises(WorkFailed, match="executor process"):
            run_batch(job_of("batch_worlds:killing", 100), tmp_path / "out", RayCluster(), chunk=50)
    finally:
        ray.shutdown()
