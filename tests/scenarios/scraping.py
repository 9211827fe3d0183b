"""What Prometheus would read of the program in a world, read by Prometheus' own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from world import World

Sample = tuple[str, dict[str, str], float]


class Scrape:
    """All samples of one exposition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: list[Sample] = [
            (sample.name, dict(sample.labels), sample.value) for family in self.families.values() for sample in family.samples
        ]

    def values(self, name: str, **labels: str) -> list[float]:
        """Of every sample of this name that has these labels."""
        return [value for found, has, value in self.samples if found == name and labels.items() <= has.items()]

    def sum(self, name: str, **labels: str) -> float:
        """Of samples that must be there: what a run has not is not 0."""
        values = self.values(name, **labels)
        assert values, f"no sample of {name} with {labels}"
        return sum(values)


def scrape(world: World) -> Scrape:
    """As it is now."""
    assert world.runtime is not None
    return Scrape(world.runtime.make_metrics().exposition().decode())
