"""What tests stand on: a real sshd, sample disks."""
