"""What may be said on the command line: nothing of what it does is loaded for that."""
