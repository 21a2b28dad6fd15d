"""Recording a function of tensors and replaying it natively: `chainrule.capture`."""

from chainrule._capture.function import Captured, capture

__all__ = ["Captured", "capture"]
