"""Kernels: the only importer of numba. Arrays and an ``out`` in, nothing checked."""
