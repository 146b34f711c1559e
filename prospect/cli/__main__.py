"""``python -m prospect.cli``."""

from prospect.cli import run

run()
