"""The tree: which name stands where, and what is above what. Rows alone, no rule of who may.

Whoever changes the tree of a person holds the lock of its root (`placing.lock_tree`), so that two
changes at once never make what neither of them would. Trees are locked before people, and the log
last: who waits for another never has what that one waits for. Must never decide who may do so, and
never touch a byte or a key: a move is a change of rows.
"""
