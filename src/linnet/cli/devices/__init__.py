"""`linnet link`, `approve`, `devices` and `recover`: the devices of one account."""
