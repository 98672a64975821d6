"""What lies on disk of a run, and what can be read from it."""

from latentlab.base import callable_room

callable_room(__name__, "latentlab.lab.python")
