"""The kerberos role: a ticket that is always good, for the tasks of this host."""
