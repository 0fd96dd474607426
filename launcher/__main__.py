"""`python -m launcher`: the sequence from nothing to a site that answers."""

import argparse
import os
import sys
from pathlib import Path

from launcher import environment, preflight
from launcher.errors import LaunchError
from launcher.site import Site
from launcher.store import EmbeddedStore
from launcher.supervisor import StopRequested, Supervisor

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped; return the exit code."""
    options = _parser().parse_args(arguments)
    # Data and logs are for this account alone, whoever writes them.
    os.umask(0o077)
    try:
        with Supervisor(ROOT) as supervisor:
            serve(supervisor, options.host, options.port, options.data.resolve())
    except StopRequested:
        say("\nSecurestore has stopped.")
    except LaunchError as error:
        print(f"Securestore: {error}", file=sys.stderr)
        return 1
    return 0


def serve(supervisor: Supervisor, host: str, port: int, data: Path) -> None:
    """Bring everything up and watch over it. Ends with `StopRequested` or `LaunchError`."""
    lock = preflight.claim(data)
    preflight.require_port(host, port)
    configuration = configure(data)
    if configuration.embedded_store:
        start_store(supervisor, configuration, data, lock)
    prepare = [sys.executable, "-m", "launcher.preparation", str(data)]
    # A name and a password perhaps: they come last, and whatever happens before.
    news = supervisor.ask("Preparing the site", prepare, env=os.environ)
    try:
        site = start_site(supervisor, host, port, configuration)
    except BaseException:
        say(news)
        raise
    start_mails(supervisor, site, configuration)
    say(f"\n{news}Securestore is ready at {site.url}" + ("\n" if sys.stdout.isatty() else ""))
    supervisor.watch()


def start_site(
    supervisor: Supervisor, host: str, port: int, configuration: environment.Environment
) -> Site:
    """Start the web server, wait until it answers."""
    site = Site(host, port, preflight.allowed_hosts(configuration.allowed_hosts, host))
    child = supervisor.start(site.name, site.command(), env=site.environment())
    supervisor.wait_until(site.is_ready, child, seconds=60)
    if not preflight.is_loopback(host):
        print(
            f"Warning: {host} is reached from other machines, over plain HTTP: whoever is on the "
            "way reads passwords and files. Put a TLS proxy before it.",
            file=sys.stderr,
        )
    return site


def start_mails(supervisor: Supervisor, site: Site, configuration: environment.Environment) -> None:
    """Start what sends the mails that wait: where no server is named, they are printed here."""
    env = {**site.environment(), "SITE_URL": configuration.site_url or site.url.rstrip("/")}
    supervisor.start("The sender of mails", command("deliver", "--watch"), env=env)


def say(text: str) -> None:
    """A line in one piece: the site's log goes to the same place at the same time."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def configure(data: Path) -> environment.Environment:
    """Write the `.env` of a new installation; return what the configuration says."""
    path = Path(os.environ.get("SECURESTORE_ENV_FILE") or ROOT / ".env")
    if environment.create(path, root=ROOT, data=data):
        say(f"Wrote {path} with new keys: keep a copy of it in a safe place.")
    return environment.read()


def start_store(
    supervisor: Supervisor, configuration: environment.Environment, data: Path, lock: int
) -> None:
    """Start the embedded store, and wait for it.

    It holds the data folder's lock from then on.
    """
    store = EmbeddedStore(
        data / "store",
        configuration.store_port,
        configuration.access_key,
        configuration.secret_key,
    )
    preflight.require_store_port(store.port)
    store.prepare()
    log = data / "store.log"
    if log.exists():
        log.replace(data / "store.log.1")
    child = supervisor.start(
        store.name,
        store.command(),
        env=store.environment(),
        cwd=store.data,
        log=log,
        keep=[lock],
        grace=store.grace,
    )
    supervisor.wait_until(store.is_ready, child, seconds=60)


def command(*words: str) -> list[str]:
    """How to run one of the site's own commands."""
    return [sys.executable, str(ROOT / "manage.py"), *words]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="launcher", description="Run Securestore here.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on")
    parser.add_argument(
        "--data", type=Path, default=ROOT / "var", help="folder of the database and the store"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
