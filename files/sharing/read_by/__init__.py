"""Who has read a file, or what is in a folder, and who has not: the audit log, counted by person.

For the owner and who manages it. To have read something is to have been sent bytes of it: a
download, whole or in part, and what the viewer fetches, which is the same door. What is under way
counts as well; so it is told before its event is written.

Everybody who can read it now stands in the list, those who have not read it first, page by page
and in a fixed number of queries. Whom a group alone lets in, and who has read nothing, is named to
those who may look people up by name (`recipients`), and counted for others: to have a file is no
reason to learn who is in a group.
"""
