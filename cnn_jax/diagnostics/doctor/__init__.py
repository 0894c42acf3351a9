"""Whether machines, network and disks can hold a run, before it waits in a queue."""
