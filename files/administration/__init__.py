"""The administration of files, grants and keys, in Django's admin.

For who grants and looks after; must never show what is in a file, nor change a row past a use case.
"""
