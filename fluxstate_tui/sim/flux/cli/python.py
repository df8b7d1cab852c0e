"""placeholder"""
from fluxstate_tui.sim.shell.process import Process
async def python(process: Process) -> int:
    return 1
COMMANDS={"python": python}
