"""Where an equation stands in the user's source. Finding the frame costs more than all else about an equation, so
it is asked for only where somebody will read it."""

from __future__ import annotations

import inspect
import os
from typing import Any

from jax._src import source_info_util


def location(source_info: Any) -> str | None:
    """`file:line:function` of the innermost frame that is the user's; else of the innermost outside of the core."""
    traceback = source_info.traceback
    frame = source_info_util.user_frame(_frame_argument(source_info))
    if frame is None and traceback is not None:
        frame = _library_frame(traceback)
    if frame is None:
        return None
    return f"{frame.file_name}:{frame.start_line}:{frame.function_name}"


_TAKES_TRACEBACK = (
    "traceback"
    in inspect.signature(
        getattr(source_info_util.user_frame, "__wrapped__", source_info_util.user_frame)
    ).parameters
)


def _frame_argument(source_info: Any) -> Any:
    return source_info.traceback if _TAKES_TRACEBACK else source_info


def _library_frame(traceback: Any) -> Any:
    """For kernels that JAX ships itself: the first frame below jax/experimental."""
    code, lasti = traceback.raw_frames()
    marker = os.sep + os.path.join("jax", "experimental", "pallas", "ops") + os.sep
    for i, one in enumerate(code):
        if marker in one.co_filename:
            return source_info_util.raw_frame_to_frame(one, lasti[i])
    return None
