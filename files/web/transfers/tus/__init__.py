"""The tus protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload), over HTTP.

Extensions: creation, creation-with-upload, creation-defer-length, termination, expiration,
checksum. Parses and answers; what an upload is and what becomes of its bytes is `resumable`'s and
`continuing`'s. Only its creator can see an upload: everybody else gets the 404 of one that does not
exist.
"""
