"""
A map on SLURM by dask-jobqueue, which asks for workers job by job.

    python slurm.py gold.prospect country/ gold.tif --jobs 4 --queue normal
"""

import argparse

from dask_jobqueue import SLURMCluster
from distributed import Client

import prospect


def cluster_of(given: argparse.Namespace) -> SLURMCluster:
    """Workers of one thread each, as many in a job as it has processors."""
    return SLURMCluster(
        queue=given.queue,
        account=given.account,
        interface=given.interface,
        cores=given.cores,
        processes=given.cores,
        memory=given.memory,
        walltime=given.time,
        worker_extra_args=["--no-dashboard"],
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
        job_script_prologue=[f"export DASK_CONFIG={given.config}"] if given.config else [],
    )


def parser() -> argparse.ArgumentParser:
    """What can be said."""
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("model")
    told.add_argument("layers")
    told.add_argument("map")
    told.add_argument("--jobs", type=int, default=4)
    told.add_argument("--cores", type=int, default=16, help="of a job")
    told.add_argument("--memory", default="32GB", help="of a job")
    told.add_argument("--time", default="04:00:00")
    told.add_argument("--queue")
    told.add_argument("--account")
    told.add_argument("--interface", help="network between nodes, such as ib0")
    told.add_argument("--config", help="DASK_CONFIG of the workers")
    return told


def main() -> None:
    """Ask for the jobs, and score on those that have come."""
    given = parser().parse_args()
    with cluster_of(given) as cluster, Client(cluster) as client:
        cluster.scale(jobs=given.jobs)
        client.wait_for_workers(1)
        model = prospect.load_model(given.model)
        stack = prospect.open_stack(given.layers)
        prospect.score(model, stack, given.map, scheduler=client, resume=True)


if __name__ == "__main__":
    main()
