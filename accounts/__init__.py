"""Who you are: users, signing in and out, and the group that new people belong to."""
