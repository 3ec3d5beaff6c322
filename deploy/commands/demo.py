"""`huanying demo`: the stack, a bank in it, and the story."""

import sys
from pathlib import Path

from deploy.attach import running_stack
from deploy.demo.bank import write as write_tables
from deploy.demo.story import make_world, run_demo
from deploy.embedded.foreground import stopping_on_signal
from deploy.embedded.stack import Stack
from shared.clock import today


def run(*, data_dir: Path, port: int, bank: str, data: Path | None, customers: int, seed: int) -> int:
    """Exit code 0 when the story was told to its end."""

    def tell(base_url: str) -> None:
        run_demo(base_url, data_dir, bank=bank, data=data, customers=customers, seed=seed)

    running = running_stack(data_dir)
    if running is not None:
        tell(running.base_url)
        return 0
    # Its log stays in the files: the terminal belongs to the story.
    print("Starting PostgreSQL, NATS, four services and the console …", flush=True)
    stack = Stack(data_dir, port=port)
    with stopping_on_signal(stack) as asked:
        stack.start()
        tell(stack.base_url)
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(f"\nThe console is at {stack.base_url} (Ctrl-C stops everything).", flush=True)
            asked.allow()
            asked.wait()
    return 0


def write(directory: Path, *, bank: str, data: Path | None, customers: int, seed: int) -> int:
    """The tables as of yesterday, the hidden truth of a synthetic bank apart from them."""
    world, _ = make_world(bank, customers, seed, data, today())
    write_tables(world.data, directory)
    for file in sorted(directory.glob("*.parquet")):
        print(f"{file}  {file.stat().st_size:,} bytes")
    return 0
