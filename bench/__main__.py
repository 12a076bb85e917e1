"""All benches, one after the other, each in a process of its own: `python -m bench [--quick] [--json]`."""

import subprocess
import sys
from pathlib import Path

import msgspec

HELD_BACK = {"__init__", "__main__", "figures", "gate", "resume"}  # the last two are part of `execution`


def main() -> int:
    here = Path(__file__).parent
    names = sorted(
        path.stem for path in here.glob("*.py") if path.stem not in HELD_BACK and not path.stem.startswith("_")
    )
    collected: dict[str, object] = {}
    failed = 0
    for name in names:
        command = [sys.executable, "-m", f"bench.{name}", *sys.argv[1:]]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        failed |= ran.returncode
        if "--json" in sys.argv and ran.returncode == 0:
            collected |= {f"{name}.{key}": value for key, value in msgspec.json.decode(ran.stdout).items()}
        elif "--json" not in sys.argv:
            sys.stdout.write(f"\n{name}\n{ran.stdout}")
            sys.stdout.flush()
    if "--json" in sys.argv:
        sys.stdout.write(msgspec.json.encode(collected).decode() + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
