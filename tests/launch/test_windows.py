"""Windows is not run here: what can be told is that no module needs what it lacks, to be there."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, importlib, logging.handlers, multiprocessing.pool, os, pkgutil, signal, sys, types
import click, cloudpickle, greenlet, joblib, lmdb, msgspec, platformdirs, psutil, rich.console
import rich.live, rich.progress, rich.table, zmq

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
SIGNALS = (
    "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP",
    "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "alarm", "pthread_kill", "pthread_sigmask",
    "setitimer",
)
CALLS = (
    "chown", "fchmod", "fork", "geteuid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo",
    "nice", "register_at_fork", "sched_getaffinity", "setpriority", "setsid", "statvfs",
    "sysconf", "uname", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG",
)
for name in MODULES:
    sys.modules[name] = None
for place, names in ((signal, SIGNALS), (os, CALLS)):
    for name in names:
        if hasattr(place, name):
            delattr(place, name)
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.platform = "win32"

import scoop_ft, scoop_journal
for package in (scoop_journal, scoop_ft):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name != "scoop_ft.__main__":  # that runs the command
            importlib.import_module(found.name)
            print(found.name)
"""


def test_all_modules_can_be_imported_without_what_only_unix_has() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"scoop_ft.cli", "scoop_ft.launch.launcher", "scoop_ft.worker.__main__"} <= set(
        done.stdout.split()
    )
