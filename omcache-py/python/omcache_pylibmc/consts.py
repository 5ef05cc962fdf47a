"""Names for libmemcached's numbers, and the dict of behaviors that writes through."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Protocol, Tuple, Type

from omcache_pylibmc import _pylibmc
from omcache_pylibmc._behaviors import DISTRIBUTIONS, HASHES
from omcache_pylibmc._exceptions import *  # noqa: F403

#: Every exception class.
errors: Tuple[Type[Exception], ...] = tuple(_class for _name, _class in _pylibmc.exceptions)

all_behaviors = _pylibmc.all_behaviors
all_callbacks = _pylibmc.all_callbacks

#: Numbers of hash functions by name, and names by number.
hashers: Dict[str, int] = dict(HASHES)
hashers_rvs: Dict[int, str] = {number: name for name, number in hashers.items()}

#: Numbers of distributions by name, with blanks in place of underscores, and names by number.
distributions: Dict[str, int] = {name.replace("_", " "): number for name, number in DISTRIBUTIONS.items()}
distributions_rvs: Dict[int, str] = {number: name for name, number in distributions.items()}


class _HasBehaviors(Protocol):
    def set_behaviors(self, behaviors: Mapping[str, Any]) -> None: ...


class BehaviorDict(Dict[str, Any]):
    """The behaviors of a client as they were when it was made; what is set in it is set on the client too."""

    def __init__(self, client: _HasBehaviors, *args: Any, **kwds: Any) -> None:
        super().__init__(*args, **kwds)
        self.client = client

    def __setitem__(self, name: str, value: Any) -> None:
        self.client.set_behaviors({name: value})
        super().__setitem__(name, value)

    def update(self, *args: Any, **kwds: Any) -> None:
        """Sets several behaviors at once."""
        behaviors = dict(*args, **kwds)
        self.client.set_behaviors(behaviors)
        super().update(behaviors)
