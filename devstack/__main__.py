"""`python -m devstack dev|down|clean|env|staff-token|demo`."""

import argparse
import sys

from devstack import dev
from devstack.ports import FIXED
from devstack.processes import StackError


def main() -> int:
    parser = argparse.ArgumentParser(prog="devstack", description="The real servers on this machine, and us")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("dev", help="servers, workers and API until Ctrl-C")
    start.add_argument("--ports", choices=("fixed", "auto"), default="fixed", help="auto: whatever is free")
    start.add_argument("--empty", action="store_true", help="without an academy to look at")
    demo = commands.add_parser("demo", help="one video from upload to playlist")
    demo.add_argument("video", nargs="?", default="samples/big-buck-bunny.mp4")
    commands.add_parser("down", help="stop what runs in another terminal")
    commands.add_parser("clean", help="down, and delete .data")
    commands.add_parser("env", help="the running stack's variables, for `eval`")
    token = commands.add_parser("staff-token", help="an hour's leave to read encrypted payloads")
    token.add_argument("--tenant", type=int, help="one tenant's; without it an operator's, for all")
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "dev":
                dev.dev(FIXED if arguments.ports == "fixed" else None, empty=arguments.empty)
            case "down":
                dev.down()
            case "clean":
                dev.clean()
            case "env":
                dev.show_environment()
            case "staff-token":
                dev.show_staff_token(arguments.tenant)
            case "demo":
                from devstack.demo import demo as run_demo

                run_demo(arguments.video)
    except (StackError, OSError) as error:  # OSError: a full disk, a folder we may not write
        print(f"{arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{arguments.command}: stopped")
    return 0


sys.exit(main())
