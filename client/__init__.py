"""The command `securestore`: a program of its own, which needs nothing of the site's code."""
