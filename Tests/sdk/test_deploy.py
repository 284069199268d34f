"""The files of deploy/ name what there is: metrics, labels and settings."""

import json
import re

import pytest

from conftest import REPOSITORY
from metrics import scrape
from test_settings import SETTINGS, variable

DEPLOY = REPOSITORY / "deploy"
ALERTS = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
GRAFANA = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
EXPRESSIONS = [target["expr"] for panel in GRAFANA["panels"] for target in panel["targets"]]
METRIC = re.compile(r"\b(?:conversationd|process)_[a-z_]+")


@pytest.fixture
def samples(start, tls):
    """The names of all samples of a server with a certificate, and their labels."""
    server = start(tls=tls)
    server.request("POST", "/v1/conversations", {})
    server.request("GET", "/nowhere")
    names = {}
    for sample in scrape(server).samples:
        names.setdefault(sample.name, set()).update(sample.labels)
    return names


@pytest.mark.parametrize("text", [ALERTS, *EXPRESSIONS], ids=lambda text: text[:60])
def test_every_metric_and_label_that_is_asked_for_exists(samples, text):
    expressions = re.sub(r'annotations:.*|alert: .*|"[^"]*"|\{\{.*?\}\}', "", text)
    names = METRIC.findall(expressions)
    assert names and set(names) <= set(samples)
    for name, labels in re.findall(r"(\w+)\{([^}]*)\}", text):
        # Prometheus itself adds these.
        asked = set(re.findall(r"(\w+)=", labels)) - {"instance", "job"}
        assert asked <= samples.get(name, set()), (name, asked)


def test_the_panels_of_the_dashboard_stand_side_by_side():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in GRAFANA["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in GRAFANA["panels"]}) == len(places)


def test_the_reasons_that_alerts_ask_for_exist(start, make_key):
    make_key()
    server = start(environment={"CONVERSATIOND_HTTP_OPEN_METRICS": "true"})
    server.request("GET", "/v1/conversations", headers={"Authorization": "Bearer sk-wrong"})
    text = scrape(server).text
    for reason in set(re.findall(r'reason="(\w+)"', ALERTS)):
        assert f'reason="{reason}"' in text


@pytest.mark.parametrize("name", ["compose.yaml", "Containerfile", "Caddyfile", "nginx.conf"])
def test_every_variable_and_setting_that_is_named_exists(name):
    text = (DEPLOY / name).read_text(encoding="utf-8")
    known = {variable(setting) for setting in SETTINGS} | {"CONVERSATIOND_CONFIG"}
    assert set(re.findall(r"\bCONVERSATIOND_\w+", text)) <= known
    named = {word.rstrip(".") for word in re.findall(r"\bhttp\.[a-z_.]+", text)}
    assert named <= set(SETTINGS)


def test_the_settings_of_the_image_serve(start, tmp_path):
    text = (DEPLOY / "container.yaml").read_text(encoding="utf-8")
    assert "path: /data/conversations.db" in text and "host: 0.0.0.0" in text
    (tmp_path / "container.yaml").write_text(
        text.replace("/data/", f"{tmp_path}/").replace("127.0.0.1:9180", f"unix:{tmp_path}/m"),
        encoding="utf-8")
    server = start("--config", str(tmp_path / "container.yaml"), "--insecure-http", database=False)
    assert server.request("GET", "/v1/conversations").status == 401
