"""Uploads: whichever way a file goes, what is there afterwards is what was here.

What was sent is digested while it is read, and held against what the site says that it has. A file
whose bytes are there already, under that name, is not sent again: so a command that was killed is
simply given once more.
"""
