"""What an earlier version left goes on under this one."""
