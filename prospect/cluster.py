"""A cluster of dask.distributed: one that is there, or one of processes on this computer."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from prospect.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

PATIENCE = 10.0
"""Seconds that a scheduler has to answer."""


@contextmanager
def connect(
    scheduler: str | Path | Client | None = None, workers: int | None = None
) -> Iterator[Client]:
    """
    Speak to a cluster for a while.

    Parameters
    ----------
    scheduler : str, path or Client, optional
        Address of a scheduler, such as ``tcp://10.0.0.5:8786`` or ``tls://…``; the file that
        ``dask scheduler --scheduler-file`` writes; or a client, which stays open. Certificates
        come from dask's own configuration. Without it a cluster of processes is started on
        127.0.0.1, without a dashboard, and ended afterwards.
    workers : int, optional
        Processes of the cluster that is started, a thread each; by default one a processor.

    Yields
    ------
    distributed.Client
        Not the default client of dask.

    Raises
    ------
    ClusterError
        If dask.distributed is not installed, or no scheduler answers.

    Examples
    --------
    >>> from prospect.cluster import connect
    >>> with connect(workers=2) as client:  # doctest: +SKIP
    ...     client.submit(sum, [1, 2]).result()
    3
    """
    require_distributed()
    from distributed import Client

    if isinstance(scheduler, Client):
        yield scheduler
        return
    # Of workers that die and of lost connections we speak ourselves.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        with _client(str(scheduler)) as client:
            yield client
        return
    with _local(workers or os.cpu_count() or 1) as cluster, _client(cluster) as client:
        yield client


class Seats(NamedTuple):
    """Threads of all workers of a cluster, and the bytes of memory that each has at the least."""

    threads: int
    memory: float


def survey(scheduler: str | Path | Client) -> Seats:
    """
    What a cluster has now; one thread where no worker is there yet.

    Raises
    ------
    ClusterError
        If no scheduler answers.
    """
    with connect(scheduler) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(each["nthreads"] for each in workers)
    # A limit of 0 is none.
    memory = [each["memory_limit"] / each["nthreads"] for each in workers if each["memory_limit"]]
    return Seats(max(1, threads), min(memory, default=float("inf")))


def require_distributed() -> None:
    """
    Refuse to go on without dask.distributed.

    Raises
    ------
    ClusterError
        If it is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ClusterError(
            "A cluster needs dask.distributed, which is not installed: "
            "pip install 'prospect[dask]'."
        ) from error


def reaches(address: str, patience: float = PATIENCE) -> bool:
    """Whether something listens at an address such as ``tcp://10.0.0.5:8786``."""
    parts = urlsplit(address)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 8786), patience):
            return True
    except OSError:
        return False


def is_local(client: Client) -> bool:
    """Whether a client's cluster is one of processes that this process has started."""
    from distributed import LocalCluster

    return isinstance(client.cluster, LocalCluster)


@contextmanager
def _client(where: str | LocalCluster) -> Iterator[Client]:
    """A client of a scheduler that answers."""
    from distributed import Client

    try:
        if isinstance(where, str):
            where = _address(where)
            # What is no server at all is told at once; a client would be long in giving up.
            if not reaches(where):
                raise OSError("nothing listens there")
        # Through the scheduler, results take five times as long.
        direct = None if isinstance(where, str) else True
        client = Client(where, timeout=PATIENCE, set_as_default=False, direct_to_workers=direct)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ClusterError(
            f"No scheduler answers at {where} ({str(error) or type(error).__name__}): start one "
            "with 'dask scheduler', and give its address, such as tcp://10.0.0.5:8786, or the "
            "file it writes."
        ) from error
    try:
        yield client
    finally:
        # A scheduler that is gone cannot be told.
        with suppress(TimeoutError, OSError):
            client.close(timeout=PATIENCE)


def _address(where: str) -> str:
    """An address, perhaps from the file that a scheduler writes."""
    if "://" not in where and Path(where).is_file():
        return str(json.loads(Path(where).read_text(encoding="utf-8"))["address"])
    return where if "://" in where else f"tcp://{where}"


@contextmanager
def _local(workers: int) -> Iterator[LocalCluster]:
    """Processes on the loopback address that nobody else is told of."""
    import dask.config
    from distributed import LocalCluster

    # A threshold for trimming makes every large array a call of the system: 0.2 s of 0.6 a fold.
    trim = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
    with (
        dask.config.set({trim: None}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            # Its page of health takes a port nevertheless: any that is free, on this address.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            # What memory they may take is planned, not watched.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster
