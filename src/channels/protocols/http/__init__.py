"""What HTTP means in any version: fields, targets, what is malformed."""
