"""The gRPC user service as a part of the local stack."""

from pathlib import Path

from streams.config import Config
from streams.stack import process, supervisor
from streams.stack.process import StackError
from streams.stack.supervisor import Part, State

NAME = "grpc"


def start_user_service(config: Config, state: State) -> str:
    """Starts it; its address once it listens. Raises `StackError`."""
    port = config.grpc_port if config.grpc_port and process.bindable(config.grpc_port) else process.free_ports(1)[0]
    file = Path(supervisor.folder(config)) / "run" / "grpc.address"
    file.unlink(missing_ok=True)
    part = Part(NAME, supervisor.streams_words(NAME), {"GRPC_PORT": str(port)})
    state.parts.append(part)
    supervisor.launch(config, state, part)
    [running] = [one for one in state.running if one.name == NAME]
    process.wait_until(lambda: not process.alive(running) or file.exists(), supervisor.READY_S, 0.2)
    if not file.exists():
        raise StackError(f"{NAME}: expected it to listen within {supervisor.READY_S:.0f} s, was not; {process.log_end(running)}")
    return file.read_text().strip()
