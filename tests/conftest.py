"""How the tests run, all of them."""

import gc


def pytest_collection_finish():
    """Thousands of tests wait in memory: full collections, of which the tests make many, need not look at them."""
    gc.collect()
    gc.freeze()
