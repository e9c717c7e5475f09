"""Quick gradients of depthwise convolutions in bfloat16 on a CPU.

oneDNN has no fast bfloat16 kernels for two of them: the gradient of the input at stride 2, and that
of 5×5 weights. They took half of a step (``benchmarks/training.py``); float32 has kernels for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SLOW_KERNEL = 5


class QuickDepthwise(TorchFunctionMode):
    """Within it, depthwise convolutions under bfloat16 autocast get these gradients."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace ``conv2d`` where it is depthwise; call everything else as it is."""
        if func is torch.conv2d and not kwargs and len(args) == 7:
            x, weight, bias, stride, padding, dilation, groups = args
            if groups == len(weight) > 1 and bias is None and tuple(dilation) == (1, 1):
                return _Depthwise.apply(x, weight, stride, padding)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        x = x.to(torch.bfloat16)
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        with torch.autocast("cpu", enabled=False):
            return torch.conv2d(
                x, weight.to(x.dtype), None, stride, padding, (1, 1), groups=len(weight)
            )

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        slow_input, slow_weight = max(ctx.stride) > 1, max(weight.shape[2:]) >= SLOW_KERNEL

        def gradients(dtype: torch.dtype, wanted: list[bool]) -> list[Tensor]:
            result: list[Tensor] = torch.ops.aten.convolution_backward(
                *(tensor.to(dtype) for tensor in (gradient, x, weight)),
                None,
                ctx.stride,
                ctx.padding,
                [1, 1],
                False,
                [0, 0],
                len(weight),
                wanted,
            )
            return result

        of_x = gradients(torch.float32 if slow_input else x.dtype, [True, False, False])[0]
        of_weight = gradients(torch.float32 if slow_weight else x.dtype, [False, True, False])[1]
        return of_x.to(x.dtype), of_weight.to(weight.dtype), None, None
