"""The pages, and HTTP in and out: views by subject, forms, transfers.

A view reads the request, calls one use case and answers. Must never decide who may do what, nor
touch the store or a key.
"""
