"""`securestore`: a Securestore site from the command line, without Django and without a browser."""

__version__ = "1.0.0"
