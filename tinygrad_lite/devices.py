"""What programs ask of devices: there is the CPU, nothing else, and nothing to switch on."""

import contextlib
import types
from typing import Any

from .engine.refusals import nearest
from .ops.arguments import device


class Namespace(types.ModuleType):
    """Names under one name, as torch.cuda is; one that is not there is an AttributeError that tells the nearest."""

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(name)
        vars(self).update(members)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"{self.__name__} has no '{name}'{nearest(name, vars(self))}")


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Accepted, and of no effect: there is one device, the CPU, and what it computes is the same in every run.

    Threads are the matrix library's: their number is set by OMP_NUM_THREADS in the environment, before Python starts.

    >>> tl.set_float32_matmul_precision("high")
    >>> tl.use_deterministic_algorithms(True)
    >>> tl.set_num_threads(4)
    >>> tl.cuda.manual_seed_all(0)
    """


def _no(*args: Any, **kwargs: Any) -> bool:
    """False: what is asked about is not there, or not in use.

    >>> tl.cuda.is_available(), tl.is_autocast_enabled()
    (False, False)
    """
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
    """A context or decorator that changes nothing: each operation computes in the dtype of its tensors.

    >>> with tl.autocast("cuda", dtype=tl.float16):
    ...     y = tl.ones(2, 3) @ tl.ones(3)
    >>> y.dtype
    dtype('float32')
    """

    def __init__(self, device_type: Any = "cpu", dtype: Any = None, enabled: bool = True,
                 cache_enabled: Any = None) -> None:
        self.enabled = False

    def __enter__(self) -> "autocast":
        return self

    def __exit__(self, *error: Any) -> None:
        pass


class GradScaler:
    """PyTorch's scaling of losses that are computed in float16, always by 1: gradients in float32 need none.

    >>> scaler = tl.amp.GradScaler()
    >>> scaler.scale(tl.tensor(2.0)), scaler.get_scale()
    (tensor(2.), 1.0)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def scale(self, loss: Any) -> Any:
        """The loss itself."""
        return loss

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Take the optimizer's step; as nothing is scaled, gradients are as they are."""
        return optimizer.step(*args, **kwargs)

    unscale_ = update = load_state_dict = _nothing
    is_enabled = _no

    def get_scale(self) -> float:
        """The scale, which is always 1."""
        return 1.0

    def state_dict(self) -> dict:
        """An empty dict, as there is nothing to keep."""
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
    """True: on one machine the same program gives the same numbers in every run.

    >>> tl.are_deterministic_algorithms_enabled()
    True
    """
    return True


def get_float32_matmul_precision() -> str:
    """The precision in which matrices of float32 are multiplied: always "highest", which is float32.

    >>> tl.get_float32_matmul_precision()
    'highest'
    """
    return "highest"


def get_default_device() -> device:
    """The device that new tensors are on: always the CPU.

    >>> tl.get_default_device()
    'cpu'
    """
    return device("cpu")


def set_default_device(device_: Any) -> None:
    """Accepts the CPU, where tensors are anyway; another device is a RuntimeError.

    >>> tl.set_default_device("cpu")
    """
    device(device_)
