"""Jobs that Open MPI's mpirun started: a training is that of all their processes."""

from __future__ import annotations

import os
from ctypes import byref, c_size_t

from . import _library
from .errors import ArgumentError


def _is_one() -> bool:
    return os.environ.get("OMPI_COMM_WORLD_SIZE", "1") != "1"


def join(config: _library.Handle) -> tuple[int, int]:
    """Makes the training of a config that of the whole job, which is left when the config is freed: the
    process's rank, and their number; (0, 1) where there is no job."""
    rank, size = c_size_t(0), c_size_t(1)
    if _is_one():
        _library.call("config_join_mpi", config.address, byref(rank), byref(size))
    return rank.value, size.value


def refuse(what: str) -> None:
    """For what every process of a job would do again."""
    if _is_one():
        raise ArgumentError(
            f"{what} is the work of one process, and would be done by each that mpirun started: call "
            "it without"
        )
