"""glidn studio RUN [--detector NAME | --boxes TABLE] [--videos FOLDER] [--host H] [--port P]"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from glidn.cli.box_source import add_box_source, check_box_source
from glidn.errors import SettingError

NEEDED = ("fastapi", "uvicorn")


def main(arguments: list[str]) -> int:
    """A page in the browser: drop a video, see what is done and why, correct a box, ask again.

    It stays on this machine unless --host says otherwise, and asks nothing of the network.
    """
    parser = argparse.ArgumentParser(prog="glidn studio", description=main.__doc__)
    parser.add_argument("run", type=Path, help="a trained run's folder")
    add_box_source(parser)
    parser.add_argument("--videos", type=Path, help="a folder or dataset to offer as examples")
    parser.add_argument(
        "--host", default="127.0.0.1", help="another lets others in, who need the printed token"
    )
    parser.add_argument("--port", type=int, default=8733, help="0: any that is free")
    parser.add_argument("--most-mb", type=float, default=500.0, help="largest upload")
    found = parser.parse_args(arguments)
    _check(found)

    # Imported here because torch takes seconds: a wrong option is told at once.
    from glidn.studio import serve

    examples = serve.examples_in(found.videos) if found.videos else []
    needed = not any(source.dataset for source in examples)
    speaks = serve.voice(found.run, found.detector, found.boxes, needed)
    address = serve.Address(found.host, found.port)
    serve.run_studio(speaks, examples, address, round(found.most_mb * 1e6))
    return 0


def _check(found: argparse.Namespace) -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SettingError(
            f'glidn studio needs {" and ".join(missing)}; install: pip install "glidn[web]"'
        )
    check_box_source(found)
    if not found.most_mb > 0:
        raise SettingError(f"--most-mb is {found.most_mb:g}; it must be above 0.")
    if not 0 <= found.port < 65536:
        raise SettingError(f"--port is {found.port}; it must be within 0 and 65535.")
