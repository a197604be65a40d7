"""The Debian package on a fresh machine: installed, used for a first day, upgraded, removed, purged.

The tests are steps of one life, so they run in the order of their numbers.
"""

import json
import os
import re
import subprocess
import time
import unittest

from machine import ROOT, Machine

DEB = os.environ["ONEGRID_DEB"]
PHONE = os.environ["ONEGRID_PHONE"]
TABLES = f"{ROOT}/packaging/tables"
UNIT = f"{ROOT}/packaging/debian/onegrid.service"

# `systemd-analyze security` gives 0 for a service that can do nothing, 10 for one that can do everything.
EXPOSURE_MAX = 1.3

# The manual says `sudo`; the test is root already.
SUDO = """sudo() {
    if [ "$1" = -u ]; then runuser -u "$2" -- "${@:3}"; else "$@"; fi
}"""
AS_SERVER = "runuser -u onegrid -- env -C /tmp"


def commands(manual, heading):
    """The commands that a section of the manual gives for the shell."""
    section = manual.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.S) for line in block.splitlines() if line]


class Linted(unittest.TestCase):
    """Checks of the files alone."""

    def test_lintian_finds_nothing(self):
        command = ["lintian", "--allow-root", "--profile", "debian", "--tag-display-limit", "0", DEB]
        found = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((found.stdout, found.returncode), ("", 0), found.stderr)

    def test_exposure_of_the_service_stays_low(self):
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT]
        shown = subprocess.run(command, capture_output=True, text=True).stdout
        score = float(re.search(r"exposure level for \S+: ([0-9.]+)", shown).group(1))
        self.assertLessEqual(score, EXPOSURE_MAX, shown)

    def test_version_of_the_changelog_is_the_workspace(self):
        with open(f"{ROOT}/Cargo.toml", encoding="utf-8") as cargo:
            version = re.search(r'^version = "(.*)"$', cargo.read(), re.M).group(1)
        self.assertIn(f"onegrid_{version}_", DEB)


    def test_licences_of_the_libraries_are_inside(self):
        unpacked = f"dpkg-deb --fsys-tarfile {DEB} | tar -xO ./usr/share/doc/onegrid/libraries.gz | gzip -d"
        listed = subprocess.run(["bash", "-c", unpacked], capture_output=True, text=True, check=True).stdout
        for library in ("axum", "libsqlite3-sys", "zstd-sys"):
            self.assertRegex(listed, rf"(?m)^{library} [0-9]\S*: .+ \[\d")
        self.assertIn("Permission is hereby granted", listed)
        self.assertNotIn("\nuniffi ", listed)


class Life(unittest.TestCase):
    """One machine, from the installation to the purge."""

    @classmethod
    def setUpClass(cls):
        with open(f"{ROOT}/docs/operations.md", encoding="utf-8") as file:
            manual = file.read()
        cls.first_day = commands(manual, "First day")
        cls.drills = commands(manual, "Restore drill") + commands(manual, "Key drill")
        cls.machine = Machine().__enter__()
        cls.broken = False

    @classmethod
    def tearDownClass(cls):
        cls.machine.__exit__()

    def setUp(self):
        if type(self).broken:
            self.fail("an earlier step failed")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        type(self).broken = type(self).broken or len(result.failures) + len(result.errors) > before
        return result

    def ok(self, script, **variables):
        return self.machine.run(script, **variables).stdout

    def onegrid(self, words):
        return self.ok(f"{AS_SERVER} onegrid {words}")

    def status(self):
        return json.loads(self.onegrid("status --json"))

    def unit(self, name):
        return self.ok(f"systemctl show onegrid -P {name}").strip()

    def test_01_installed_it_waits_for_init(self):
        said = self.ok(f"dpkg -i {DEB}")
        self.assertIn("onegrid init", said)
        self.assertEqual(self.ok("stat -c '%a %U %G' /var/lib/onegrid").strip(), "700 onegrid onegrid")
        self.assertEqual(self.ok("getent passwd onegrid | cut -d: -f7").strip(), "/usr/sbin/nologin")
        self.assertEqual(self.unit("ActiveState"), "inactive")
        self.assertEqual(self.unit("UnitFileState"), "enabled")
        self.assertIn("/var/lib/onegrid", self.onegrid("check-config"))
        # Without a deployment it says so once, and is not tried again.
        self.ok("systemctl start onegrid")
        self.machine.until("systemctl is-failed onegrid")
        self.assertEqual((self.unit("ExecMainStatus"), self.unit("NRestarts")), ("3", "0"))

    def test_02_manual_and_completion_are_there(self):
        page = self.ok("man -P cat onegrid", MANWIDTH="100", LC_ALL="C.UTF-8")
        self.assertIn("onegrid invitations cancel", page)
        page = self.ok("man -P cat -L zh_CN.UTF-8 onegrid", MANWIDTH="100")
        self.assertIn("邀请", page)
        words = self.ok(
            "source /usr/share/bash-completion/completions/onegrid; COMP_WORDS=(onegrid members roles '')"
            " COMP_CWORD=3; _onegrid; echo ${COMPREPLY[@]}"
        )
        self.assertIn("add take", words)

    def step(self, command, expected=0):
        """Runs a line of the manual as it is, and notes its time."""
        begun = time.monotonic()
        done = self.machine.run(f"{SUDO}\ncd /srv/tables\n{command}", check=False)
        print(f"  {time.monotonic() - begun:5.1f} s  {command}", flush=True)
        self.assertEqual(done.returncode, expected, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_03_manual_of_the_first_day_sets_up_and_serves(self):
        self.ok("mkdir /media/stick /srv/tables")
        self.ok(f"cp -r {TABLES}/. /srv/tables; cd /srv/tables; mv members-with-mistakes.csv members.csv")
        steps = iter(type(self).first_day)
        for command in steps:
            if "systemctl start" in command:
                # The test before has started it in vain.
                self.ok("systemctl reset-failed onegrid")
            if "onegrid status" in command:
                self.machine.until("curl -fsS http://127.0.0.1:8787/healthz")
            said = self.step(command, 3 if "--dry-run" in command else 0)
            if "--dry-run" in command:
                break
        for row in ("line 8", "line 16", "line 28", "line 34"):
            self.assertIn(f"members.csv {row} ", said)
        self.ok(f"cp {TABLES}/members.csv /srv/onegrid/members.csv")
        for command in steps:
            if "onegrid devices" in command:
                code = json.loads(self.onegrid("invite P011 --json --for-this-machine"))["code"]
                phone = self.step(f"{PHONE} /tmp/phone {code} http://127.0.0.1:8787")
                self.assertIn("equal: true", phone)
            said = self.step(command)
            if "onegrid devices" in command:
                self.assertIn("志愿者ts1", said)
        self.assertEqual(self.ok("grep -c '<svg' /srv/onegrid/codes.html").strip(), "40")
        status = self.status()
        self.assertEqual((status["serving"], status["records"], status["members"]), (True, 1, 40))

    def test_04_server_runs_in_its_sandbox(self):
        process = self.ok("cat /proc/$(systemctl show onegrid -P MainPID)/status")
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000", "CapEff:\t0000000000000000"):
            self.assertIn(line, process)
        self.assertEqual(self.unit("LimitNOFILE"), "65536")
        # A machine may allow fewer files than the unit asks for; then the server says so.
        files = "sed -n 's/^Max open files *[0-9]* *\\([0-9]*\\).*/\\1/p' /proc/{}/limits"
        allowed = int(self.ok(files.format("1")))
        given = int(self.ok(files.format("$(systemctl show onegrid -P MainPID)")))
        self.assertEqual(given, min(65536, allowed))
        log = self.ok("journalctl -u onegrid --no-pager -b")
        self.assertEqual("fewer connections" in log, allowed < 65536, log)

    def test_05_manual_of_the_drills_is_right(self):
        before = self.status()
        for command in type(self).drills:
            said = self.step(command)
            if "drill status" in command:
                copy = json.loads(self.onegrid("--set store.path=/srv/onegrid/drill status --json"))
                for name in ("records", "members", "devices", "envelopes"):
                    self.assertEqual(copy[name], before[name], name)
        self.ok("test ! -e /srv/onegrid/drill")
        self.assertEqual(self.status()["generation"], before["generation"])

    def test_06_prometheus_reads_the_server_and_the_alerts(self):
        rules = f"{ROOT}/packaging/prometheus/onegrid.rules.yml"
        self.ok(f"""cat >/tmp/prometheus.yml <<'YAML'
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - {{ job_name: onegrid, static_configs: [{{ targets: ["127.0.0.1:8787"] }}] }}
YAML
cat >/run/systemd/system/watch.service <<'UNIT'
[Service]
ExecStart=/usr/bin/prometheus --config.file=/tmp/prometheus.yml --storage.tsdb.path=/tmp/watch \\
    --web.listen-address=127.0.0.1:9090
UNIT
systemctl start watch""")
        ask = "curl -fsS http://127.0.0.1:9090/api/v1"
        accepted = f"{ask}/query --data-urlencode 'query=onegrid_envelopes_total{{verdict=\"accepted\"}} > 0'"
        self.machine.until(f"{accepted} | grep -q instance")
        groups = json.loads(self.ok(f"{ask}/rules"))["data"]["groups"]
        self.assertEqual({rule["state"] for rule in groups[0]["rules"]}, {"inactive"})
        self.ok("systemctl stop watch")

    def test_07_reload_keeps_the_process_and_names_a_mistake(self):
        first = self.unit("MainPID")
        self.ok("echo 'version = 1' >/etc/onegrid/rules.toml")
        self.ok("printf '[rules]\\npath = \"rules.toml\"\\n' >>/etc/onegrid/onegrid.toml")
        self.ok("systemctl restart onegrid")
        self.machine.until("curl -fsS http://127.0.0.1:8787/healthz")
        second = self.unit("MainPID")
        self.assertNotEqual(first, second)
        self.ok("echo 'surprise = 1' >>/etc/onegrid/rules.toml; systemctl reload onegrid")
        self.machine.until("journalctl -u onegrid --no-pager -b | grep rules.malformed")
        self.assertEqual(self.unit("MainPID"), second)
        self.ok("curl -fsS http://127.0.0.1:8787/healthz")
        self.ok("echo 'version = 1' >/etc/onegrid/rules.toml; systemctl reload onegrid")

    def test_08_killed_it_comes_back(self):
        first = self.unit("MainPID")
        self.ok(f"kill -9 {first}")
        self.machine.until(f"test $(systemctl show onegrid -P MainPID) != {first} && curl -fsS http://127.0.0.1:8787/healthz")
        self.assertEqual(self.status()["records"], 1)

    def test_09_upgrade_keeps_settings_and_data(self):
        first = self.unit("MainPID")
        self.ok("echo '# mine' >>/etc/onegrid/onegrid.toml")
        self.ok(f"dpkg -i {DEB}")
        self.assertIn("# mine", self.ok("cat /etc/onegrid/onegrid.toml"))
        self.machine.until("curl -fsS http://127.0.0.1:8787/healthz")
        self.assertNotEqual(self.unit("MainPID"), first)
        self.assertEqual(self.status()["records"], 1)

    def test_10_removed_and_purged_it_leaves_the_data(self):
        self.ok("dpkg -r onegrid")
        self.assertEqual(self.machine.run("curl -s http://127.0.0.1:8787/healthz", check=False).returncode, 7)
        said = self.ok("dpkg -P onegrid")
        self.assertIn("/var/lib/onegrid", said)
        self.assertEqual(self.ok("ls /etc/onegrid/onegrid.toml 2>&1 || true").count("No such"), 1)
        self.assertEqual(self.ok("stat -c '%a %U' /var/lib/onegrid").strip(), "700 onegrid")
        self.ok(f"dpkg -i {DEB}")
        self.machine.until("curl -fsS http://127.0.0.1:8787/healthz")
        self.assertEqual(self.status()["records"], 1)

    def test_11_purged_with_the_word_nothing_is_left(self):
        self.ok("dpkg -P onegrid", ONEGRID_PURGE_DATA="yes")
        self.ok("test ! -e /var/lib/onegrid && ! getent passwd onegrid")


class Image(unittest.TestCase):
    """The steps of the Dockerfile by hand, because there may be no docker: its user, its settings, its health check."""

    @classmethod
    def setUpClass(cls):
        with open(f"{ROOT}/packaging/docker/Dockerfile", encoding="utf-8") as file:
            text = "\n".join(line for line in file.read().splitlines() if not line.startswith("#"))
        cls.steps = [line.split(None, 1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]

    def last(self, name):
        return [rest for step, rest in self.steps if step == name][-1]

    def test_image_is_built_in_two_stages_and_runs_without_root(self):
        self.assertEqual([step for step, _ in self.steps].count("FROM"), 2)
        known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
                 "ENTRYPOINT", "CMD"}
        self.assertLessEqual({step for step, _ in self.steps}, known)
        self.assertEqual(self.last("USER"), "10001:10001")

    def test_program_serves_with_the_settings_of_the_image(self):
        run = [rest for step, rest in self.steps if step == "RUN"][-1]
        account = " && ".join(part.strip() for part in run.split("&&") if "apt" not in part)
        unit = ["[Service]", "User=10001", "Group=10001", "ProtectSystem=strict", "ReadWritePaths=/var/lib/onegrid"]
        unit += [f"Environment={pair}" for pair in self.last("ENV").split()]
        unit = "\n".join([*unit, "ExecStart=/usr/bin/onegrid {}"])
        health = json.loads(self.last("HEALTHCHECK").split("CMD", 1)[1])
        with Machine() as machine:
            machine.run(account)
            machine.run(f"install -m 0755 {os.environ['ONEGRID_BINARY_BUILT']} /usr/bin/onegrid")
            begin = unit.format("init --root-key /var/lib/onegrid/root.key") + "\nType=oneshot"
            machine.run(f"cat >/run/systemd/system/first.service <<'UNIT'\n{begin}\nUNIT\nsystemctl start first")
            check = " ".join("'" + word.replace("'", "'\\''") + "'" for word in health)
            self.assertNotEqual(machine.run(check, check=False).returncode, 0)
            serve = unit.format("serve")
            machine.run(f"cat >/run/systemd/system/image.service <<'UNIT'\n{serve}\nUNIT\nsystemctl start image")
            machine.until(check)
            owner = machine.run("stat -c %u /proc/$(systemctl show image -P MainPID)").stdout
            self.assertEqual(owner.strip(), "10001")
            log = machine.run("journalctl -u image --no-pager").stdout
            self.assertNotIn("http.proxy_chain", log)
            machine.run("systemctl stop image")


if __name__ == "__main__":
    unittest.main(verbosity=2)
