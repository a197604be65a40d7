"""A fresh machine for a test: the files of this one under an overlay, with systemd as its first process.

Processes, network, mounts and control groups are its own, so a test may install packages, take any port and start
services, and nothing of it stays. It needs root.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Becomes the first process of the machine. $1 is an empty folder; the others are folders of this machine that the
# test needs inside, even if they are file systems of their own.
BEGIN = r"""
set -e
mount -t tmpfs -o mode=0755 machine "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay machine -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs memory dev/shm
mount -t tmpfs -o mode=0755 run run
mount -t tmpfs tmp tmp
for folder in "${@:2}"; do
    mkdir -p ".$folder"
    mount --bind "$folder" ".$folder"
done
mkdir -p run/before
# Only what the test needs is started, and nothing that this machine would start.
cat >etc/systemd/system/test.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
AllowIsolate=yes
UNIT
for unit in systemd-udevd systemd-udev-trigger systemd-remount-fs systemd-modules-load systemd-sysctl \
    systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-random-seed systemd-binfmt systemd-firstboot \
    systemd-pstore systemd-journal-flush systemd-networkd systemd-timesyncd systemd-resolved; do
    ln -sf /dev/null "etc/systemd/system/$unit.service"
done
rm -f usr/sbin/policy-rc.d
pivot_root . run/before
umount -l run/before
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other \
    /lib/systemd/systemd --unit=test.target --log-target=null --show-status=no
"""


def pause():
    """Gives other processes a moment between two looks."""
    threading.Event().wait(0.05)


class Machine:
    """A running machine; `with` ends it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="onegrid-machine-")
        self.group = self._group()
        join = f"echo $$ >{self.group}/cgroup.procs\n" if self.group else ""
        unshare = "exec unshare --mount --pid --fork --kill-child --ipc --uts --net --cgroup bash -c \"$0\" begin \"$@\""
        inside = [ROOT, os.path.dirname(os.environ["ONEGRID_BINARY_BUILT"])]
        command = ["bash", "-ec", join + unshare, BEGIN, self.folder, *inside]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._wait()
        return self

    def __exit__(self, *_):
        # The end of its first process ends all others of the machine.
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.group:
            self._remove_group()

    @staticmethod
    def _group():
        """A control group for the machine alone; without it systemd would rule this machine's groups."""
        found = subprocess.run(["findmnt", "-nt", "cgroup2", "-o", "TARGET"], capture_output=True, text=True)
        mounted = found.stdout.split("\n")[0]
        if not mounted:
            raise RuntimeError("cgroup2 is not mounted")
        return tempfile.mkdtemp(prefix="onegrid-machine-", dir=mounted)

    def _remove_group(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for folder, _, _ in os.walk(self.group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
            if not os.path.exists(self.group):
                return
            pause()

    def _wait(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("the machine did not start")
            if self.first() and self.run("systemctl is-active test.target", check=False).returncode == 0:
                return
            pause()
        raise RuntimeError("systemd did not start in the machine")

    def first(self):
        """Process id of the first process, as this machine sees it."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            with open(path, encoding="ascii") as children:
                words = children.read().split()
        except FileNotFoundError:
            return None
        return words[0] if words else None

    def until(self, script, seconds=30):
        """Waits until a script ends well; returns its output."""
        deadline = time.monotonic() + seconds
        while True:
            done = self.run(script, check=False)
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > deadline:
                log = self.run("journalctl -u onegrid --no-pager | tail -n 20", check=False).stdout
                raise AssertionError(f"never: {script}\n{done.stdout}{done.stderr}\n{log}")
            pause()

    def run(self, script, check=True, **variables):
        """Runs a script of bash inside."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "ONEGRID_LANG": "en", **variables}
        command = ["nsenter", "-t", self.first(), "-m", "-p", "-i", "-u", "-n", "-C", "-r", "-w", "bash", "-ec", script]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"{script}\n{done.returncode}: {done.stdout}\n{done.stderr}")
        return done
