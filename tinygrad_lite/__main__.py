"""python -m tinygrad_lite"""

import sys

from .cli import main

sys.exit(main())
