"""The soak itself runs when it is told how long: `make soak` does."""

import os

collect_ignore = [] if "LINNET_SOAK_SECONDS" in os.environ else ["test_soak.py"]
