"""The admin API and its relay as parts of the local stack: they start when the workers' addresses are known."""

from streams.config import Config
from streams.stack import process, supervisor
from streams.stack.process import StackError
from streams.stack.supervisor import Part, State

NAME = "admin"


def start_admin(config: Config, state: State) -> str:
    """Starts both; the API's URL once it is ready. Raises `StackError`."""
    port = config.admin_port if config.admin_port and process.bindable(config.admin_port) else process.free_ports(1)[0]
    for part in (Part("bridge-relay", supervisor.streams_words("bridge", "relay")),
                 Part(NAME, supervisor.streams_words(NAME), {"ADMIN_PORT": str(port)})):
        state.parts.append(part)
        supervisor.launch(config, state, part)
    [running] = [one for one in state.running if one.name == NAME]
    process.wait_until(lambda: not process.alive(running) or supervisor.ready(port), supervisor.READY_S, 0.2)
    if not supervisor.ready(port):
        raise StackError(f"{NAME}: expected /readyz 200 within {supervisor.READY_S:.0f} s, was not; {process.log_end(running)}")
    return f"http://127.0.0.1:{port}"
