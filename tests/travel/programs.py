"""Scripts and modules for the tests, as text: what they compute says which version of them ran.

Tasks wait at a gate, a file that says how many may run: so a test has all the time it needs.
"""

from __future__ import annotations

from pathlib import Path

# Each task says which version of the script, of a module and of a module that only tasks import
# it was run with, and whether its own file was there.
SCRIPT = """
import os, socket, sys, time
import ft_model
from scoop_ft import futures

VERSION = {version!r}

def wait_at_gate(x):
    while x >= int(open(os.environ["FT_GATE"]).read()):
        time.sleep(0.01)

def task(x):
    import ft_late.inner
    wait_at_gate(x)
    time.sleep(0.005)
    return x, VERSION, ft_model.VERSION, ft_late.inner.VERSION, os.path.exists(__file__)

if __name__ == "__main__":
    count = int(sys.argv[1])
    results = list(futures.map(task, range(count)))
    assert [r[0] for r in results] == list(range(count))
    if len(sys.argv) > 2:  # only those from here on
        del results[:int(sys.argv[2])]
    for versions in sorted(set(r[1:4] for r in results)):
        print(*versions)
    print("files", sorted(set(r[4] for r in results)))
    print("root", VERSION, ft_model.VERSION, os.path.basename(__file__), sys.argv[1:])
"""


def write(folder: Path, script: str = "1", model: str = "1", late: str = "1") -> Path:
    """Write the script and its modules; return the script's path."""
    (folder / "ft_late").mkdir(exist_ok=True)
    (folder / "ft_late" / "__init__.py").write_text("")
    (folder / "ft_late" / "inner.py").write_text(f"VERSION = 'late {late}'\n")
    (folder / "ft_model.py").write_text(f"VERSION = 'model {model}'\n")
    path = folder / "study.py"
    path.write_text(SCRIPT.format(version=f"script {script}"))
    return path


def remove(folder: Path) -> None:
    """Delete all of it."""
    for name in ("study.py", "ft_model.py", "ft_late/__init__.py", "ft_late/inner.py"):
        (folder / name).unlink()
    for cache in folder.rglob("__pycache__"):
        for file in cache.iterdir():
            file.unlink()
