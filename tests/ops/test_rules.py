"""The rules on the tape as text: every operation's is numpy and the public vocabulary, and gives the gradient."""

import ast
import inspect
import xml.etree.ElementTree

import numpy as np
import pytest
from calls import DIFFERENTIABLE, parameter, real, run, tensors
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite.view.mathml import mathml

PUBLIC = {"np": np, "float32": np.float32, "float64": np.float64} | tl.ops.VOCABULARY | {
    name: f for name, f in vars(F).items() if inspect.isfunction(f) and not name.startswith("_")}
del PUBLIC["float32"], PUBLIC["float64"]


class Symbols(ast.NodeTransformer):
    """v3.grad as one name."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return ast.Name(f"{node.value.id}_grad", node.ctx) if node.attr == "grad" else node


def evaluated(lines, tape):
    """What the last line adds, and to what; every name is a value of the tape, public, or of a line before."""
    names = {f"v{s.index}": s.value for s in tape} | {f"v{i}_grad": g for i, g in tape.gradients.items()}
    for line in lines:
        (statement,) = ast.parse(line).body
        assert not any(isinstance(part, (ast.IfExp, ast.BoolOp, ast.Lambda, ast.If)) for part in ast.walk(statement)), line
        value = ast.fix_missing_locations(ast.Expression(Symbols().visit(statement.value)))
        used = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
        assert used <= names.keys() | PUBLIC.keys() and not any(name.startswith("_") for name in used), line
        result = eval(compile(value, line, "eval"), PUBLIC | names)
        if isinstance(statement, ast.Assign):
            names[ast.unparse(statement.targets[0])] = result
    assert isinstance(statement, ast.AugAssign)
    return result, statement.target


def check(tape):
    """Each contribution of the tape is what its text gives; gives the operations that were seen."""
    last = tape[tape.output]
    tape.backward(np.cos(np.arange(last.value.size)).reshape(last.shape).astype(last.dtype))
    for (index, argument), sent in tape.contributions.items():
        lines = tape[index].rules[argument]
        with np.errstate(all="ignore"):
            found, target = evaluated(lines, tape)
        assert ast.unparse(target) == f"v{tape[index].inputs[argument]}.grad"
        precision = 1e-10 if sent.dtype == np.float64 else 3e-5
        np.testing.assert_allclose(np.broadcast_to(found, sent.shape), sent, precision, precision, err_msg="\n".join(lines))
        for line in lines:
            xml.etree.ElementTree.fromstring(mathml(line))
    return {step.node.op for step in tape if step.is_operation}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_the_text_of_every_rule_gives_the_gradient(name, function, row, sample, dtype):
    for out in real(run(function, sample, tensors(sample, dtype), lambda x: parameter(x, dtype))):
        if out.requires_grad:
            check(tl.tape(out))
