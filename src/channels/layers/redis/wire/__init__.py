"""What is in Redis, byte for byte: names of keys and topics, envelopes and their numbers, encryption."""
