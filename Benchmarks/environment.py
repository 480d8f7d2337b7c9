"""An environment of Python packages of a script's own, in the user's cache directory, made once."""
import os
import pathlib
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")


def enter(name, packages):
    """Runs the script again where the packages are installed; returns where they are. Exit code 2: they cannot be."""
    if pathlib.Path(sys.prefix) != CACHE / "stitch" / name:
        interpreter = python(name, packages)
        os.execv(interpreter, [interpreter, *sys.argv])


def python(name, packages):
    """The interpreter of an environment where the packages are installed. Exit code 2: they cannot be."""
    environment = CACHE / "stitch" / name
    interpreter = environment / "bin" / "python"
    stamp = environment / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        try:
            subprocess.run([sys.executable, "-m", "venv", environment], check=True, stdout=sys.stderr)
            pip = [interpreter, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            subprocess.run(pip + packages, check=True, stdout=sys.stderr)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{pathlib.Path(sys.argv[0]).stem}: {', '.join(packages)} cannot be installed: {error}", file=sys.stderr)
            sys.exit(2)
        stamp.write_text(" ".join(packages))
    return interpreter
