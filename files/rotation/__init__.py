"""Master keys change: wrapping anew, encrypting anew, retiring a key, and how far all of it is.

Must never leave a file, at any moment, whose key is in nobody's hands.
"""
