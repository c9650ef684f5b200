"""gridfuse: Pallas kernels in interpret mode at native speed, and JAX programs as files to ship.

gridfuse.export(fn, *avals)        a traced program, for `importJaxpr` of the TypeScript side
gridfuse.pallas.enable()           every `pallas_call(interpret=True)` runs on gridfuse from here on
"""

from gridfuse._export import export
from gridfuse.errors import EngineDied, GridfuseError, Unsupported

__version__ = "0.1.0"

__all__ = ["EngineDied", "GridfuseError", "Unsupported", "export"]
