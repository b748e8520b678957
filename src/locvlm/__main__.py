"""`python -m locvlm` is `locvlm`."""

import sys

from locvlm.cli import main

sys.exit(main())
