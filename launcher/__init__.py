"""What `make run` starts: a whole Securestore on one machine, and nothing that outlives it.

`python -m launcher` writes a `.env` once, runs the embedded object store, prepares the database
and serves the site until it is told to stop. A deployment does not need it: there, a service
manager runs Granian (docs/operations.md). It must never change an existing `.env`, never delete
data, and never leave a process behind.
"""
