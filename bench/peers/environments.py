"""An environment for each peer: they ask for other releases than we do, and than each other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("requirements")


@dataclass(frozen=True)
class Peer:
    """A peer and its environment; requirements and driver bear the same name."""

    name: str
    without_dependencies: str | None = None  # the package itself, when it asks for too much


PEERS = (
    Peer("sae_dashboard", "sae-dashboard==0.8.0"),
    Peer("sae_vis"),
    Peer("delphi", "eai-delphi==0.1.3"),
)


def python_of(peer: Peer, home: Path) -> Path:
    """The peer's interpreter; its environment is made below `home` unless it is there already."""
    folder = home / peer.name
    wanted = requirements(peer.name).read_text() + (peer.without_dependencies or "")
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        _make(peer, folder, _torch(home))
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def requirements(name: str) -> Path:
    """The file of what a peer needs."""
    return _REQUIREMENTS / f"{name}.txt"


def _make(peer: Peer, folder: Path, torch: Path) -> None:
    print(f"Installing {peer.name} into {folder} (a minute or more).", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "torch.pth").write_text(f"{torch}\n")  # looked at after its own packages
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", requirements(peer.name)], check=True)
    if peer.without_dependencies:
        subprocess.run([*pip, "--no-deps", peer.without_dependencies], check=True)


def _torch(home: Path) -> Path:
    """A folder with PyTorch, for all peers: alone it takes nearly a gigabyte."""
    folder = home / "torch"
    stamp = folder / "installed"
    wanted = requirements("torch").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing PyTorch into {folder}.", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
        subprocess.run([*pip, "--target", folder, "-r", requirements("torch")], check=True)
        stamp.write_text(wanted)
    return folder
