"""What kernels are compiled for."""

from __future__ import annotations

import hashlib

from llvmlite import binding


def processor() -> str:
    """The kind of this computer's processor, and a hash of all that it can do."""
    features = sorted(binding.get_host_cpu_features().items())
    digest = hashlib.sha256(repr(features).encode()).hexdigest()
    return f"{binding.get_host_cpu_name()} {digest[:8]}"
