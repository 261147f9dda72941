"""The programs inside installed wheels, at a place where the servers' account can run them."""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from services.embedded.servers.account import STATE_FOLDER, Account, can_run
from services.embedded.servers.folder import whole


def package_folder(module: str) -> Path:
    """Find an installed package without importing it. Raises ModuleNotFoundError."""
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed: run scripts/setup run.")
    return Path(specification.origin).parent


def within_reach(account: Account, distribution: str, program: Path, parts: list[Path]) -> Path:
    """Give the path at which `account` may execute `program`.

    Where it cannot, `parts` (all the program needs, and itself) are copied to the state folder,
    once for each version, in their places relative to each other. The modes of folders that are
    not ours are never touched. A crash leaves no half copy.
    """
    if can_run(account, program):
        return program
    root = Path(os.path.commonpath([part.parent for part in parts]))
    programs = STATE_FOLDER / "programs"
    target = programs / f"{distribution}-{importlib.metadata.version(distribution)}"
    if not target.exists():
        programs.mkdir(parents=True, exist_ok=True)
        with whole(target) as unfinished:
            for part in parts:
                _copy(part, unfinished / part.relative_to(root))
            _open_to_all([STATE_FOLDER, programs, unfinished, *unfinished.rglob("*")])
    return target / program.relative_to(root)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _open_to_all(paths: list[Path]) -> None:
    """Let every user read our own copy, whatever this process's umask is."""
    for path in paths:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
