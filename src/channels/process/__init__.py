"""The process and its platform: what it lacks, whether it is ready, how it ends."""
