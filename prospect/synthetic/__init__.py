"""A synthetic region with a known truth, for the sample data, tests and teaching."""

from prospect.synthetic.region import Region, Truth, make_region
from prospect.synthetic.worlds import WORLDS
from prospect.synthetic.writing import write_region

__all__ = ["WORLDS", "Region", "Truth", "make_region", "write_region"]
