"""Topological order without recursion

order(graph)   a dictionary from each node to the list of its parents -> a list of all nodes, parents before children

A node may be anything that can be a key. Each node is in the list once, also one that is a parent of several nodes, or
stands twice among the parents of one (as in a * a), or is in no relation to the others. A node that is among the
parents only, and no key, has no parents of its own, and is in the list too. Every order in which parents come before
their children is right. Where there is a cycle there is no such order: raise a ValueError. A chain of 30,000 nodes is
no problem, and takes a fraction of a second: no recursion, and no search through a list for each node. Do not change
the graph. The module graphlib is forbidden, and so is sys.setrecursionlimit.
"""

import random

from tinygrad_lite.drills import Drill

drill = Drill(
    __doc__, difficulty="medium", minutes=8,
    hints=["A depth-first search that notes a node when all its parents are noted gives such an order. Or count for "
           "each node the parents that are still to come, and take nodes whose count is 0 (Kahn's algorithm).",
           "Recursion ends at a depth of 1000: put pairs on a list, (node, False) when it is met and (node, True) for "
           "when its parents are done.",
           "A node has three states: not met, under way, done. A parent that is under way is a cycle, one that is done "
           "is a shared node.",
           "Kahn: cycles are there when nodes are left over that never reached 0."],
    pitfalls=["Recursion ends at a depth of 1000, and a graph of a training loop is deeper.",
              "`node in visited` is slow where visited is a list: n nodes need n * n comparisons. Take a set.",
              "A node that was met before is no cycle: it may be shared. Only one that is still under way is."],
    forbidden=("graphlib", "sys.setrecursionlimit"),
)


@drill.reference
def order(graph):
    """graph: a dictionary from each node to the list of its parents -> list of all nodes, parents before children"""
    found, under_way, done = [], set(), set()
    stack = [(node, False) for node in graph]
    while stack:  # a list as the stack, since recursion ends at a depth of 1000
        node, parents_done = stack.pop()
        if parents_done:
            found.append(node)
            done.add(node)
        elif node in done:  # shared by several children, and noted already
            continue
        elif node in under_way:  # met on the way up from itself
            raise ValueError(f"there is a cycle through {node!r}")
        else:
            under_way.add(node)
            stack.append((node, True))  # comes up again when all its parents are noted
            stack.extend((parent, False) for parent in graph.get(node, ()))
    return found


def wrong_order(order, graph):
    """What is wrong with the order of a graph that has no cycle; None where nothing is."""
    given = {node: list(parents) for node, parents in graph.items()}
    try:
        found = order(given)
    except ValueError:
        return "raised a ValueError, though there is no cycle"
    if not isinstance(found, (list, tuple)):
        return f"gave a {type(found).__name__}, expected a list"
    nodes = {*graph}.union(*graph.values())
    if {*found} != nodes:
        return "some nodes are missing" if {*found} < nodes else "there are nodes that are not in the graph"
    if len(found) > len(nodes):
        return "a node is in the list more than once"
    place = {node: i for i, node in enumerate(found)}
    right = [place[parent] < place[node] for node, parents in graph.items() for parent in parents]
    if not any(right) and len(right) > 1:
        return "each node comes before its parents: the order is the other way round"
    if not all(right):
        return "a node comes before one of its parents"
    if given != graph:
        return "the graph was changed: work on a copy, the caller goes on with it"


drill.case(order, {"c": ["b"], "b": ["a"], "a": []}, why="a has no parents and comes first, whatever the order of the "
           "keys")
drill.case(order, {3: [2, 1], 2: [1]}, why="1 is no key, but a node: it has no parents of its own")
drill.case(order, {}, why="of no nodes there is an empty list")


@drill.program(why="a node that several others share comes before all of them, once; it is no cycle")
def _(order):
    """order of d, the child of b and c, which are both children of a"""
    return wrong_order(order, {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []})


@drill.program(why="of a short and a long way to a node the long one counts: note a node when all its parents are "
                "noted")
def _(order):
    """order of c, the child of a and b, where b is a child of a; and with the parents of c the other way round"""
    return (wrong_order(order, {"c": ["a", "b"], "b": ["a"], "a": []})
            or wrong_order(order, {"c": ["b", "a"], "b": ["a"], "a": []}))


@drill.program(why="a parent may be there twice, as in a * a: it is one node, and no cycle")
def _(order):
    """order of b, whose parents are a and a"""
    return wrong_order(order, {"b": ["a", "a"], "a": []})


@drill.program(why="start from every node, since not all of them lead to each other")
def _(order):
    """order of three separate parts: a; d, the child of b and c; f, the child of e"""
    return wrong_order(order, {"a": [], "d": ["b", "c"], "b": [], "c": [], "f": ["e"], "e": []})


@drill.program(why="every order with parents before children is right")
def _(order):
    """order of a graph of 300 nodes with up to four parents each"""
    draw = random.Random(0)
    nodes = [*range(300)]
    draw.shuffle(nodes)
    graph = {node: draw.sample(nodes[:i], min(i, draw.randrange(5))) for i, node in enumerate(nodes)}
    keys = [*graph]
    draw.shuffle(keys)
    return wrong_order(order, {key: graph[key] for key in keys})


@drill.program(why="where a node is its own ancestor nothing can come first: raise a ValueError")
def _(order):
    """order of graphs with a cycle: a -> b -> a; a -> a; one of three nodes that begins at the second key"""
    for graph in ({"a": ["b"], "b": ["a"]}, {"a": ["a"]}, {"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"]}):
        try:
            order(graph)
        except ValueError:
            continue
        return "gave an order, though there is a cycle"


class Counted:
    """A node that counts how often nodes are looked up in sets and dictionaries, and how often they are compared."""

    looked_up = compared = 0

    def __hash__(self):
        Counted.looked_up += 1
        return object.__hash__(self)

    def __eq__(self, other):
        Counted.compared += 1
        return self is other


@drill.program(why="a recursive search ends at a depth of 1000: keep the stack in a list")
def _(order):
    """order of chains of 600 and of 30,000 nodes"""
    nodes = [Counted() for _ in range(600)]
    graph = dict(zip(nodes[::-1], [[parent] for parent in nodes[-2::-1]] + [[]]))
    Counted.looked_up = Counted.compared = 0
    found = order(graph)
    if Counted.compared > 60_000:
        return "compares each node with all others, which is too slow: look it up in a set, not in a list"
    if Counted.looked_up > 60_000:  # what is fast needs fewer than 30 a node
        return "goes through all nodes for each of them, which is too slow: go from node to node"
    if [*map(id, found)] != [*map(id, nodes)]:
        return "the order is wrong"
    found = order({i: [i - 1] if i else [] for i in range(30_000, -1, -1)})
    return None if [*found] == [*range(30_001)] else "the order is wrong"


def search(graph):
    """A depth-first search: (node, False) when a node is met, and (node, True) when its parents are done."""
    under_way, done, stack = set(), set(), [(node, False) for node in graph]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            done.add(node)
            yield node, True
        elif node not in done:
            if node in under_way:
                raise ValueError("there is a cycle")
            under_way.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()))
            yield node, False


def counted(graph, parents_of, cycles=True):
    """Kahn's algorithm: nodes whose parents are all there. parents_of: from a node's parents to those that count."""
    children, missing = {}, {}
    for node, parents in graph.items():
        missing[node] = len(parents)
        for parent in parents:
            missing.setdefault(parent, 0)
        for parent in parents_of(parents):
            children.setdefault(parent, []).append(node)
    found = [node for node, count in missing.items() if not count]
    for node in found:  # it grows
        for child in children.get(node, ()):
            missing[child] -= 1
            if not missing[child]:
                found.append(child)
    if cycles and len(found) < len(missing):
        raise ValueError("there is a cycle")
    return found


@drill.wrong(order, "children first", "a node is noted when all its parents are: that is the order already, and "
             "reversing it puts children first")
def _(graph):
    return [node for node, done in search(graph) if done][::-1]


@drill.wrong(order, "noted when it is met", "a node that is noted before the search goes on to its parents comes "
             "before them: note it afterwards")
def _(graph):
    return [node for node, done in search(graph) if not done]


@drill.wrong(order, "noted when it is met", "reversed, this is wrong where a node is met on a short way first, and "
             "again on a longer one: note it after its parents")
def _(graph):
    return [node for node, done in search(graph) if not done][::-1]


@drill.wrong(order, "breadth first", "the number of steps from the children is no order: of a short and a long way to "
             "a node the long one counts")
def _(graph):
    used = {parent for parents in graph.values() for parent in parents}
    queue = [node for node in graph if node not in used]
    seen = {*queue}
    for node in queue:  # it grows
        for parent in graph.get(node, ()):
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return queue[::-1]


@drill.wrong(order, "shared nodes twice", "a node may be on the stack more than once: look once more whether it is "
             "noted when it comes up")
def _(graph):
    found, under_way, done = [], set(), set()
    for start in graph:
        stack = [(start, False)] if start not in done else []
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                found.append(node)
                done.add(node)
                continue
            if node in under_way and node not in done:
                raise ValueError("there is a cycle")
            under_way.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()) if parent not in done)
    return found


@drill.wrong(order, "recursion too deep", "Python ends a recursion at a depth of 1000; keep the stack in a list")
def _(graph):
    found, under_way, done = [], set(), set()

    def visit(node):
        if node in done:
            return
        if node in under_way:
            raise ValueError("there is a cycle")
        under_way.add(node)
        for parent in graph.get(node, ()):
            visit(parent)
        done.add(node)
        found.append(node)

    for node in graph:
        visit(node)
    return found


@drill.wrong(order, "a list searched for each node", "`node in found` compares with one node after another: n nodes "
             "need n * n comparisons; keep what is done in a set")
def _(graph):
    found, under_way, stack = [], [], [(node, False) for node in graph]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            found.append(node)
        elif node not in found:
            if node in under_way:
                raise ValueError("there is a cycle")
            under_way.append(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()))
    return found


@drill.wrong(order, "all nodes again and again", "on a chain each turn finds a single node, and n turns over n nodes "
             "are n * n steps: follow the parents, or count those that are missing")
def _(graph):
    found, done = [], set()
    left = list(dict.fromkeys(node for child, parents in graph.items() for node in (child, *parents)))
    while left:
        ready = [node for node in left if all(parent in done for parent in graph.get(node, ()))]
        if not ready:
            raise ValueError("there is a cycle")
        found += ready
        done.update(ready)
        left = [node for node in left if node not in done]
    return found


@drill.wrong(order, "cycles unnoticed", "a parent that is met while it is still under way is its own ancestor: raise a "
             "ValueError")
def _(graph):
    found, seen, stack = [], set(), [(node, False) for node in graph]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            found.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()))
    return found


@drill.wrong(order, "cycles unnoticed", "nodes on a cycle never have all their parents, and are left over: where the "
             "list is shorter than the graph raise a ValueError")
def _(graph):
    return counted(graph, list, cycles=False)


@drill.wrong(order, "a shared node taken for a cycle", "a node that is met again may be shared: it is a cycle only if "
             "it is still under way, its parents not all noted")
def _(graph):
    found, seen, stack = [], set(), []
    for start in graph:
        if start not in seen:
            stack.append((start, False))
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                found.append(node)
                continue
            if node in seen:
                raise ValueError("there is a cycle")
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()))
    return found


@drill.wrong(order, "a parent that is there twice", "count a parent as often as it is there in both places, or once in "
             "both: otherwise the count of a * a never comes to 0")
def _(graph):
    return counted(graph, set)


@drill.wrong(order, "a parent that is no key", "graph[node] is a KeyError for a node that is among the parents only: "
             "graph.get(node, ())")
def _(graph):
    for node, _ in search(graph):
        graph[node]
    return [node for node, done in search(graph) if done]


@drill.wrong(order, "a parent that is no key", "a node that is among the parents only belongs into the list as well")
def _(graph):
    return [node for node, done in search(graph) if done and node in graph]


@drill.wrong(order, "only what one node leads to", "not all nodes lead to each other: start from every one of them")
def _(graph):
    found, under_way, done = [], set(), set()
    stack = [(node, False) for node in [*graph][:1]]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            found.append(node)
            done.add(node)
        elif node not in done:
            if node in under_way:
                raise ValueError("there is a cycle")
            under_way.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in graph.get(node, ()))
    return found


@drill.wrong(order, "the graph changed", "setdefault and remove write into the caller's graph: graph.get(node, ()) "
             "does not")
def _(graph):
    for parents in [*graph.values()]:
        for parent in parents:
            graph.setdefault(parent, [])
    return [node for node, done in search(graph) if done]
