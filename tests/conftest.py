"""How property tests are run. Fixtures live beside the tests that use them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_COMMON = settings(deadline=None, print_blob=True, database=None, suppress_health_check=[HealthCheck.too_slow])

# The same examples in every run and on every machine, so that a failure is about the change and repeats at once.
settings.register_profile("ci", _COMMON, derandomize=True, max_examples=100)
# New examples in every run: `bin/test --hypothesis-profile=long`. A failure prints the `@reproduce_failure` line that replays it.
settings.register_profile("long", _COMMON, max_examples=5_000)
settings.load_profile("ci")
