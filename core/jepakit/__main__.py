"""`python -m jepakit` is the command line."""

import sys

from jepakit.cli.main import main

sys.exit(main())
