"""Folders: making and naming them, moving what is in them, putting it away and bringing it back.

Each use case asks the rule, changes the tree in one transaction under its lock, and records what it
did there. Must never touch a byte or a key: a file that is moved stays as it is in the store.
"""
