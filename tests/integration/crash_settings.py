"""The site's own settings, with the fault points of tests installed in its process."""

from securestore.settings import *  # noqa: F403
from tests.integration import faultpoints

faultpoints.install()
