"""A stand-in for flux-core's Python bindings inside a simulated container.

It has the names and the behaviour of the real package (flux-core 0.88) as far as programs need
them that talk to a broker, and speaks JSON lines over an inherited socket. Only the standard
library is used, because the program that imports it runs isolated.
"""

from . import constants, job, kvs
from .handle import Flux

__all__ = ["Flux", "constants", "job", "kvs"]
