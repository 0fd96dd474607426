"""What goes in and out, typed, by subject: the schema of the API is made of these.

A field that is there stays, with its meaning; new ones may come. Must never hold a digest or a key
in a list, nor a name of a folder that the token does not reach.
"""
