"""The cryptography of Securestore: tokens, streams of frames, and the keyring.

Nothing here imports Django or knows of models, requests or stores, so another project could lift
the package out. It needs the standard library and the documented interface of ``cryptography``.
The format that it reads and writes is stated in ``docs/stream-format.md``.
"""
