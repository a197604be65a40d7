"""Alerts and dashboard against promtool, and against the metrics that a running server prints."""

import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = f"{ROOT}/packaging/prometheus/onegrid.rules.yml"
DASHBOARD = f"{ROOT}/packaging/grafana/onegrid.json"
PROGRAM = os.environ["ONEGRID_BINARY_BUILT"]
# The metrics of a server that phones have used, written by the suite `proxies`.
USED = os.environ["METRICS_OUT"]

# A metric with its conditions: onegrid_…{route="/v1/sync",code=~"a|b"}
SELECTOR = re.compile(r"\b(onegrid_[a-z_]+)(?:\{([^}]*)\})?")
CONDITION = re.compile(r'([a-z]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
# Labels that Prometheus adds to every metric.
OF_PROMETHEUS = {"instance", "job", "le"}
CONNECTIONS = 24


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, cwd=os.path.dirname(RULES))


def alerts():
    """The expressions of the alerts, by name. The file is simple YAML; promtool checks the rest of it."""
    with open(RULES, encoding="utf-8") as file:
        text = file.read()
    found = {}
    for part in text.split("- alert: ")[1:]:
        name, body = part.split("\n", 1)
        expression = body.split("expr:", 1)[1].split("\n        for:")[0].split("\n        labels:")[0]
        found[name] = expression.lstrip(" |")
    return found


def queries():
    """The expressions of the dashboard, by title of the panel and letter."""
    with open(DASHBOARD, encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    return {f"{panel['title']} {target['refId']}": target["expr"] for panel in panels for target in panel["targets"]}


def printed(text):
    """The metrics of a text of OpenMetrics: for each name its labels, and for each label its values."""
    found = {}
    for line in text.splitlines():
        if line.startswith("onegrid_"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            known = found.setdefault(name, {})
            for label, _, value in CONDITION.findall(labels or ""):
                known.setdefault(label, set()).add(value)
    return found


def metrics_of(url):
    """The metrics of a server that may still be closing connections."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"{url}/metrics") as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise


def busy_server():
    """The metrics of a server with more kinds of trouble than phones make."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"--set=store.path={folder}/data", "--set=limits.address_connections_max=1", "--lang=en"]
        plain = {"PATH": os.environ["PATH"]}
        begin = [PROGRAM, *settings, "init", "--root-key", f"{folder}/root.key"]
        subprocess.run(begin, check=True, env=plain, cwd=folder, stdout=subprocess.DEVNULL)
        serve = [PROGRAM, *settings, "serve", "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(serve, env=plain, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            try:
                url = json.loads(server.stdout.readline())["listening"]
                address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
                photo = f"{url}/v1/attachments/{'0' * 32}/{'0' * 64}"
                try:
                    urllib.request.urlopen(urllib.request.Request(photo, method="PATCH", data=b"x"))
                except urllib.error.HTTPError as refused:
                    refused.close()
                # A few more than the machine itself may have, so the last ones are closed at once.
                open_ones = [socket.create_connection(address) for _ in range(CONNECTIONS)]
                open_ones[-1].settimeout(20)
                assert open_ones[-1].recv(1) == b"", "the last connection is closed"
                for one in open_ones:
                    one.close()
                return metrics_of(url)
            finally:
                server.terminate()


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(USED, encoding="utf-8") as used:
            cls.known = printed(used.read() + busy_server())
        cls.codes = ""
        for folder, _, names in os.walk(f"{ROOT}/server/src"):
            for name in filter(lambda name: name.endswith(".rs"), names):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    cls.codes += file.read()

    def test_rules_are_well_formed(self):
        done = promtool("check", "rules", "onegrid.rules.yml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_fire_on_trouble_alone(self):
        done = promtool("test", "rules", "onegrid.test.yml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(f"{os.path.dirname(RULES)}/onegrid.test.yml", encoding="utf-8") as file:
            tested = re.findall(r"- name: (\w+)", file.read())
        self.assertEqual(set(tested), {*alerts(), "calm"}, "each alert has a test of its name")

    def test_rules_name_a_section_of_the_manual(self):
        with open(RULES, encoding="utf-8") as file:
            named = set(re.findall(r'action: "(.*)"', file.read()))
        with open(f"{ROOT}/docs/operations.md", encoding="utf-8") as file:
            sections = set(re.findall(r"^#+ (.*)$", file.read(), re.M))
        self.assertLessEqual(named, sections)

    def test_manual_names_codes_that_exist(self):
        with open(f"{ROOT}/docs/operations.md", encoding="utf-8") as file:
            table = file.read().split("### By code\n", 1)[1].split("\n## ", 1)[0]
        named = [code for row in re.findall(r"^\| (`.*?) \|", table, re.M) for code in re.findall(r"`([^`]*)`", row)]
        self.assertGreater(len(named), 10)
        self.assertEqual([code for code in named if f'"{code}"' not in self.codes], [])

    def test_queries_of_the_dashboard_are_well_formed(self):
        rules = ["groups: [{name: dashboard, rules: ["]
        for number, query in enumerate(queries().values()):
            query = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
            rules.append(f"{{record: 'dashboard:q{number}', expr: {json.dumps(query)}}},")
        rules.append("]}]")
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write("\n".join(rules))
            file.flush()
            done = promtool("check", "rules", file.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_alerts_and_dashboard_read_metrics_of_a_running_server(self):
        wrong = []
        for place, expression in {**alerts(), **queries()}.items():
            for name, conditions in SELECTOR.findall(expression):
                labels = self.known.get(name)
                if labels is None:
                    wrong.append(f"{place}: no server prints {name}")
                    continue
                for label, how, value in CONDITION.findall(conditions):
                    if label in OF_PROMETHEUS:
                        continue
                    if label not in labels:
                        wrong.append(f"{place}: {name} has no label {label}")
                    elif label in ("code", "reason", "verdict"):
                        words = value.split("|") if how == "=~" else [value]
                        wrong += [f"{place}: no {label} {word}" for word in words if f'"{word}"' not in self.codes]
                    elif label == "route" and value not in labels[label]:
                        wrong.append(f"{place}: no route {value}")
            for label in re.findall(r"by \(([^)]*)\)", expression):
                known = set().union(*(self.known.get(name, {}) for name, _ in SELECTOR.findall(expression)))
                unknown = {word.strip() for word in label.split(",")} - known - OF_PROMETHEUS
                wrong += [f"{place}: grouped by {word}" for word in unknown]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
