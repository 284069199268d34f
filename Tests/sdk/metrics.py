"""What a server says of itself at `/metrics`, read with Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

PREFIX = "conversationd_"


class Metrics:
    """The samples of one moment, by name and labels."""

    def __init__(self, text):
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name, **labels):
        """The one sample with these labels and no others; 0 when nothing happened yet."""
        values = [sample.value for sample in self.samples
                  if (sample.name, sample.labels) == (PREFIX + name, labels)]
        assert len(values) <= 1
        return values[0] if values else 0

    def counts(self, name, *labels):
        """The values that are not 0, by those of the labels."""
        return {tuple(sample.labels[label] for label in labels): sample.value
                for sample in self.samples
                if sample.name == PREFIX + name and sample.value}

    def buckets(self, name, **labels):
        """How many values were at most so large, by the bound."""
        return {float(sample.labels["le"]): sample.value for sample in self.samples
                if sample.name == f"{PREFIX}{name}_bucket"
                and {"le": sample.labels["le"], **labels} == sample.labels}


def scrape(server, **headers):
    answer = server.request("GET", "/metrics", headers=headers)
    assert answer.status == 200, answer
    return Metrics(answer.body.decode())
