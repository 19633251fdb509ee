"""What programs ask of devices: there is the CPU, nothing else, and nothing to switch on."""

import contextlib
import types
from typing import Any

from .engine.refusals import nearest
from .ops.arguments import device


class Namespace(types.ModuleType):
    """Names under one name, as torch.cuda is; another than there are is an AttributeError with the nearest."""

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(name)
        vars(self).update(members)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"{self.__name__} has no '{name}'{nearest(name, vars(self))}")


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Accepted, and of no effect: there is one device, and its results are the same in every run."""


def _no(*args: Any, **kwargs: Any) -> bool:
    return False


def _none_there(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("tensors are on the CPU, and nowhere else: ask is_available() first")


def _accelerator(name: str, **members: Any) -> Namespace:
    """A kind of device that is not there: what asks about it answers so, what needs it is an error."""
    silent = dict.fromkeys(("manual_seed", "manual_seed_all", "empty_cache", "synchronize", "reset_peak_memory_stats",
                            "set_device", "seed", "seed_all"), _nothing)
    needed = dict.fromkeys(("current_device", "get_device_name", "get_device_properties", "get_device_capability",
                            "Stream", "Event", "current_stream", "mem_get_info"), _none_there)
    counted = dict.fromkeys(("memory_allocated", "max_memory_allocated", "memory_reserved"), lambda device=None: 0)
    return Namespace(name, is_available=_no, is_initialized=_no, device_count=lambda: 0, is_bf16_supported=_no,
                     **silent, **needed, **counted, **members)


class autocast(contextlib.ContextDecorator):
    """Nothing: every operation computes in the dtype of its tensors. A context, or a decorator."""

    def __init__(self, device_type: Any = "cpu", dtype: Any = None, enabled: bool = True,
                 cache_enabled: Any = None) -> None:
        self.enabled = False

    def __enter__(self) -> "autocast":
        return self

    def __exit__(self, *error: Any) -> None:
        pass


class GradScaler:
    """A scale of 1: gradients of float32 need none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def scale(self, loss: Any) -> Any:
        """The loss itself."""
        return loss

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step."""
        return optimizer.step(*args, **kwargs)

    unscale_ = update = load_state_dict = _nothing
    is_enabled = _no

    def get_scale(self) -> float:
        """1"""
        return 1.0

    def state_dict(self) -> dict:
        """Nothing is kept."""
        return {}


amp = Namespace("amp", autocast=autocast, GradScaler=GradScaler)
cuda = _accelerator("cuda", amp=amp)
mps, xpu = _accelerator("mps"), _accelerator("xpu")
cpu = Namespace("cpu", is_available=lambda: True, device_count=lambda: 1, synchronize=_nothing, amp=amp,
                current_device=lambda: "cpu")
accelerator = Namespace("accelerator", is_available=_no, device_count=lambda: 0, synchronize=_nothing,
                        current_accelerator=lambda check_available=False: None, set_device_index=_none_there)
backends = Namespace(
    "backends",
    cudnn=Namespace("backends.cudnn", enabled=False, benchmark=False, deterministic=True, allow_tf32=False,
                    is_available=_no, version=lambda: None),
    cuda=Namespace("backends.cuda", matmul=Namespace("backends.cuda.matmul", allow_tf32=False), is_built=_no,
                   enable_flash_sdp=_nothing, enable_math_sdp=_nothing, enable_mem_efficient_sdp=_nothing),
    mps=Namespace("backends.mps", is_available=_no, is_built=_no),
    mkldnn=Namespace("backends.mkldnn", is_available=_no, enabled=False))

set_num_threads = set_num_interop_threads = _nothing  # threads are the matrix library's: OMP_NUM_THREADS
set_float32_matmul_precision = use_deterministic_algorithms = _nothing
is_autocast_enabled = _no


def are_deterministic_algorithms_enabled() -> bool:
    """True: the same program gives the same numbers."""
    return True


def get_float32_matmul_precision() -> str:
    """"highest": float32 is multiplied as float32."""
    return "highest"


def get_default_device() -> device:
    """The CPU."""
    return device("cpu")


def set_default_device(device_: Any) -> None:
    """Accepts the CPU; another device is a RuntimeError."""
    device(device_)
