"""Keys at hand: the keyring of the process, key services, what wrapped before, custody.

Must never write a key where it can be read, nor put one into an exception or a log.
"""
