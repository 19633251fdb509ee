"""What help() says of the operations that numpy computes: the forward of each is numpy's own function.

Their rules stand in elementwise.py and transcendental.py; here is what they take, and what they are.
"""


def mul(input, other):
    """The product of two tensors, element by element, which is what `input * other` gives.

    Shapes broadcast and dtypes are promoted. The matrix product is `tl.matmul`, or @.

    >>> x = tl.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tl.mul(x, tl.tensor([10.0, 100.0]))
    tensor([[ 10., 200.],
            [ 30., 400.]])
    """


def neg(x):
    """Each element with the other sign, which is what `-x` gives; a TypeError for bools, which have ~x.

    >>> x = tl.tensor([1.0, -2.0])
    >>> tl.neg(x)
    tensor([-1.,  2.])
    """


def abs(x):
    """The absolute value |x| of each element; at 0, where it has a kink, its gradient is 0.

    >>> x = tl.tensor([-1.5, 0.0, 2.0])
    >>> tl.abs(x)
    tensor([1.5, 0. , 2. ])
    """


def exp(x):
    """e to the power of each element.

    >>> x = tl.tensor([0.0, 1.0, 2.0])
    >>> tl.exp(x)
    tensor([1.    , 2.7183, 7.3891])
    """


def log(x):
    """The natural logarithm of each element: the y with exp(y) = x. It is -inf at 0 and NaN below.

    >>> x = tl.tensor([1.0, tl.e, 0.0])
    >>> tl.log(x)
    tensor([  0.,   1., -inf])
    """


def sqrt(x):
    """The square root of each element; NaN below 0.

    Its gradient, 1 / (2 sqrt(x)), is inf at 0: where x can be 0, a small number is added to it first.

    >>> x = tl.tensor([4.0, 9.0, -1.0])
    >>> tl.sqrt(x)
    tensor([ 2.,  3., nan])
    """


def maximum(input, other):
    """The larger of two elements, place by place; NaN where one of them is NaN.

    Where they are equal each gets half of the gradient. The largest element of one tensor is `tl.max`.

    >>> x, y = tl.tensor([1.0, 2.0, 3.0], requires_grad=True), tl.tensor([2.0, 2.0, 2.0])
    >>> tl.maximum(x, y).tolist()
    [2.0, 2.0, 3.0]
    >>> tl.maximum(x, y).sum().backward()
    >>> x.grad
    tensor([0. , 0.5, 1. ])
    """


def minimum(input, other):
    """The smaller of two elements, place by place; NaN where one of them is NaN.

    Where they are equal each gets half of the gradient. The smallest element of one tensor is `tl.min`.

    >>> x, y = tl.tensor([1.0, 5.0, tl.nan]), tl.tensor([4.0, 2.0, 3.0])
    >>> tl.minimum(x, y)
    tensor([ 1.,  2., nan])
    """


def fmax(input, other):
    """The larger of two elements, place by place; where one of them is NaN, the other.

    Where they are equal the first gets the whole gradient.

    >>> x, y = tl.tensor([1.0, 5.0, tl.nan]), tl.tensor([4.0, 2.0, 3.0])
    >>> tl.fmax(x, y)
    tensor([4., 5., 3.])
    """


def fmin(input, other):
    """The smaller of two elements, place by place; where one of them is NaN, the other.

    Where they are equal the first gets the whole gradient.

    >>> x, y = tl.tensor([1.0, 5.0, tl.nan]), tl.tensor([4.0, 2.0, 3.0])
    >>> tl.fmin(x, y)
    tensor([1., 2., 3.])
    """


def copysign(input, other):
    """The absolute value of `input` with the sign of `other`, element by element; -0.0 has the sign minus.

    Whole numbers become floats. `other` gets the gradient 0.

    >>> x = tl.tensor([1.0, 2.0, -3.0])
    >>> tl.copysign(x, tl.tensor([-5.0, -0.0, 5.0]))
    tensor([-1., -2.,  3.])
    """


def floor(x):
    """Each element rounded down to a whole number; the gradient is 0 everywhere.

    >>> x = tl.tensor([1.7, -1.2])
    >>> tl.floor(x)
    tensor([ 1., -2.])
    """


def ceil(x):
    """Each element rounded up to a whole number; the gradient is 0 everywhere.

    >>> x = tl.tensor([1.2, -1.7])
    >>> tl.ceil(x)
    tensor([ 2., -1.])
    """


def trunc(x):
    """Each element without what comes after the point, so rounded towards 0; the gradient is 0 everywhere.

    >>> x = tl.tensor([1.7, -1.7])
    >>> tl.trunc(x)
    tensor([ 1., -1.])
    """


def isnan(x):
    """Whether each element is NaN, "not a number", as 0 / 0 is; `x == tl.nan` finds none, for NaN equals nothing.

    >>> x = tl.tensor([1.0, tl.nan, tl.inf])
    >>> tl.isnan(x)
    tensor([False,  True, False])
    """


def isinf(x):
    """Whether each element is infinite, inf or -inf.

    >>> x = tl.tensor([1.0, tl.nan, -tl.inf])
    >>> tl.isinf(x)
    tensor([False, False,  True])
    """


def isfinite(x):
    """Whether each element is an ordinary number, neither infinite nor NaN.

    >>> x = tl.tensor([1.0, tl.nan, tl.inf])
    >>> tl.isfinite(x)
    tensor([ True, False, False])
    """


def eq(input, other):
    """Whether elements are equal, place by place, which is what `input == other` gives.

    `tl.equal` says in one bool whether all are, and `tl.isclose` forgives rounding.

    >>> guess, label = tl.tensor([0, 2, 1, 1]), tl.tensor([0, 1, 1, 1])
    >>> guess == label
    tensor([ True, False,  True,  True])
    >>> tl.eq(guess, label).float().mean()  # the accuracy
    tensor(0.75)
    """


def ne(input, other):
    """Whether elements differ, place by place, which is what `input != other` gives; NaN differs even from NaN.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> x != 2
    tensor([ True, False,  True])
    >>> tl.ne(x, 2).float()
    tensor([1., 0., 1.])
    """


def lt(input, other):
    """Whether each element is smaller than that of `other`, which is what `input < other` gives; with NaN it never is.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> x < 2
    tensor([ True, False, False])
    >>> tl.lt(x, 2).float()
    tensor([1., 0., 0.])
    """


def le(input, other):
    """Whether each element is at most that of `other`, which is what `input <= other` gives; with NaN it never is.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> x <= 2
    tensor([ True,  True, False])
    >>> tl.le(x, 2).float()
    tensor([1., 1., 0.])
    """


def gt(input, other):
    """Whether each element is larger than that of `other`, which is what `input > other` gives; with NaN it never is.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> x > 2
    tensor([False, False,  True])
    >>> tl.gt(x, 2).float()
    tensor([0., 0., 1.])
    """


def ge(input, other):
    """Whether each element is at least that of `other`, which is what `input >= other` gives; with NaN it never is.

    >>> x = tl.tensor([1.0, 2.0, 3.0])
    >>> x >= 2
    tensor([False,  True,  True])
    >>> tl.ge(x, 2).float()
    tensor([0., 1., 1.])
    """


def logical_and(input, other):
    """Whether both elements are true, place by place; a number is true where it is not 0.

    >>> x = tl.tensor([True, True, False, False])
    >>> tl.logical_and(x, tl.tensor([1, 0, 1, 0]))
    tensor([ True, False, False, False])
    """


def logical_or(input, other):
    """Whether at least one of two elements is true, place by place; a number is true where it is not 0.

    >>> x = tl.tensor([True, True, False, False])
    >>> tl.logical_or(x, tl.tensor([1, 0, 1, 0]))
    tensor([ True,  True,  True, False])
    """


def logical_xor(input, other):
    """Whether exactly one of two elements is true, place by place; a number is true where it is not 0.

    >>> x = tl.tensor([True, True, False, False])
    >>> tl.logical_xor(x, tl.tensor([1, 0, 1, 0]))
    tensor([False,  True,  True, False])
    """


def logical_not(x):
    """Whether each element is false; a number is false where it is 0.

    >>> x = tl.tensor([True, False])
    >>> tl.logical_not(x)
    tensor([False,  True])
    """


def bitwise_and(input, other):
    """The bits that two whole numbers have in common, which is what `input & other` gives; of bools "and".

    >>> x = tl.tensor([0b1100, 0b1010])
    >>> tl.bitwise_and(x, 0b0110)  # 0b0100 and 0b0010
    tensor([4, 2])
    """


def bitwise_or(input, other):
    """The bits that at least one of two whole numbers has, which is what `input | other` gives; of bools "or".

    >>> x = tl.tensor([0b1100, 0b1010])
    >>> tl.bitwise_or(x, 0b0001)  # 0b1101 and 0b1011
    tensor([13, 11])
    """


def bitwise_xor(input, other):
    """The bits in which two whole numbers differ, which is what `input ^ other` gives; of bools "either, not both".

    >>> x = tl.tensor([0b1100, 0b1010])
    >>> tl.bitwise_xor(x, 0b1111)  # 0b0011 and 0b0101
    tensor([3, 5])
    """


def bitwise_not(x):
    """Whole numbers with all bits turned, -x - 1, which is what `~x` gives; of bools "not".

    >>> x = tl.tensor([0, 1, -8])
    >>> tl.bitwise_not(x)
    tensor([-1, -2,  7])
    """


def bitwise_left_shift(input, other):
    """The bits of whole numbers moved to the left by `other` places: input * 2**other.

    >>> x = tl.tensor([1, 3])
    >>> tl.bitwise_left_shift(x, 2)
    tensor([ 4, 12])
    """


def bitwise_right_shift(input, other):
    """The bits of whole numbers moved to the right by `other` places: input / 2**other, rounded down.

    >>> x = tl.tensor([4, 13])
    >>> tl.bitwise_right_shift(x, 2)
    tensor([1, 3])
    """


def exp2(x):
    """2 to the power of each element.

    >>> x = tl.tensor([-1.0, 0.0, 3.0])
    >>> tl.exp2(x)
    tensor([0.5, 1. , 8. ])
    """


def expm1(x):
    """exp(x) - 1 with all its digits near 0, where exp(x) is rounded to 1.

    >>> x = tl.tensor([1e-8])
    >>> tl.expm1(x)
    tensor([1.e-08])
    >>> tl.exp(x) - 1
    tensor([0.])
    """


def log2(x):
    """The logarithm of each element to the base 2; -inf at 0, NaN below.

    >>> x = tl.tensor([0.5, 1.0, 8.0])
    >>> tl.log2(x)
    tensor([-1.,  0.,  3.])
    """


def log10(x):
    """The logarithm of each element to the base 10; -inf at 0, NaN below.

    >>> x = tl.tensor([1.0, 10.0, 100.0])
    >>> tl.log10(x)
    tensor([0., 1., 2.])
    """


def log1p(x):
    """log(1 + x) with all its digits near 0, where 1 + x is rounded to 1; -inf at -1, NaN below.

    >>> x = tl.tensor([1e-8])
    >>> tl.log1p(x)
    tensor([1.e-08])
    >>> tl.log(1 + x)
    tensor([0.])
    """


def sin(x):
    """The sine of each angle, in radians.

    >>> x = tl.tensor([0.0, tl.pi / 6, tl.pi / 2])
    >>> tl.sin(x)
    tensor([0. , 0.5, 1. ])
    """


def cos(x):
    """The cosine of each angle, in radians.

    >>> x = tl.tensor([0.0, tl.pi / 3, tl.pi])
    >>> tl.cos(x)
    tensor([ 1. ,  0.5, -1. ])
    """


def tan(x):
    """The tangent of each angle, in radians: sin(x) / cos(x).

    >>> x = tl.tensor([0.0, tl.pi / 4, -tl.pi / 4])
    >>> tl.tan(x)
    tensor([ 0.,  1., -1.])
    """


def asin(x):
    """The angle between -pi/2 and pi/2 whose sine is x; NaN outside [-1, 1]. At -1 and 1 its gradient is inf.

    >>> x = tl.tensor([-1.0, 0.0, 1.0])
    >>> tl.asin(x)
    tensor([-1.5708,  0.    ,  1.5708])
    """


def acos(x):
    """The angle between 0 and pi whose cosine is x; NaN outside [-1, 1]. At -1 and 1 its gradient is -inf.

    >>> x = tl.tensor([1.0, 0.0, -1.0])
    >>> tl.acos(x)
    tensor([0.    , 1.5708, 3.1416])
    """


def atan(x):
    """The angle between -pi/2 and pi/2 whose tangent is x.

    >>> x = tl.tensor([0.0, 1.0, tl.inf])
    >>> tl.atan(x)
    tensor([0.    , 0.7854, 1.5708])
    """


def hypot(input, other):
    """sqrt(input^2 + other^2), the longest side of a right triangle, without overflow of the squares.

    Where both are 0, both gradients are 0.

    >>> x = tl.tensor([3.0, 5.0])
    >>> tl.hypot(x, tl.tensor([4.0, 12.0]))
    tensor([ 5., 13.])
    """


def atan2(input, other):
    """The angle from the x axis to the point with y = `input` and x = `other`, between -pi and pi.

    In the right half of the plane it is atan(y / x). Where both are 0, both gradients are 0.

    >>> y, x = tl.tensor([1.0, 1.0, -1.0]), tl.tensor([1.0, -1.0, -1.0])
    >>> tl.atan2(y, x)
    tensor([ 0.7854,  2.3562, -2.3562])
    """


def sinh(x):
    """The hyperbolic sine of each element: (exp(x) - exp(-x)) / 2.

    >>> x = tl.tensor([-1.0, 0.0, 1.0])
    >>> tl.sinh(x)
    tensor([-1.1752,  0.    ,  1.1752])
    """


def cosh(x):
    """The hyperbolic cosine of each element: (exp(x) + exp(-x)) / 2.

    >>> x = tl.tensor([-1.0, 0.0, 1.0])
    >>> tl.cosh(x)
    tensor([1.5431, 1.    , 1.5431])
    """


def tanh(x):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x)), which brings all numbers between -1 and 1.

    >>> x = tl.tensor([-100.0, 0.0, 1.0])
    >>> tl.tanh(x)
    tensor([-1.    ,  0.    ,  0.7616])
    """


def asinh(x):
    """The number whose hyperbolic sine is x: log(x + sqrt(x^2 + 1)).

    >>> x = tl.tensor([0.0, 1.0, 100.0])
    >>> tl.asinh(x)
    tensor([0.    , 0.8814, 5.2983])
    """


def acosh(x):
    """The number of at least 0 whose hyperbolic cosine is x: log(x + sqrt(x^2 - 1)); NaN where x is below 1.

    At 1 its gradient is inf.

    >>> x = tl.tensor([1.0, 2.0, 0.0])
    >>> tl.acosh(x)
    tensor([0.   , 1.317,   nan])
    """


def atanh(x):
    """The number whose hyperbolic tangent is x: log((1 + x) / (1 - x)) / 2; inf at 1, -inf at -1, NaN outside.

    >>> x = tl.tensor([-0.5, 0.0, 1.0])
    >>> tl.atanh(x)
    tensor([-0.5493,  0.    ,     inf])
    """


def deg2rad(x):
    """Angles in radians of angles in degrees: x * pi / 180.

    >>> x = tl.tensor([0.0, 90.0, 180.0])
    >>> tl.deg2rad(x)
    tensor([0.    , 1.5708, 3.1416])
    """


def rad2deg(x):
    """Angles in degrees of angles in radians: x * 180 / pi.

    >>> x = tl.tensor([0.0, 1.0, tl.pi])
    >>> tl.rad2deg(x)
    tensor([  0.    ,  57.2958, 180.    ])
    """


# ---------------------------------------------------------------- matrix.py
def det(x):
    """The determinant of square matrices: by which factor they change areas or volumes; 0 where there is no inverse.

    x (…, n, n) gives (…). A TypeError for float16, which numpy's linear algebra does not take.

    >>> x = tl.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> tl.det(x)
    tensor(6.)
    """


def inv(x):
    """The inverse of square matrices (…, n, n): x @ inv(x) is the identity. RuntimeError where there is none.

    To solve x @ y = b say `tl.solve(x, b)`, which is faster and more exact than inv(x) @ b.

    >>> x = tl.tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> tl.inv(x)
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
