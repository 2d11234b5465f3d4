from channels.protocols.framing.interfaces import FramingError


def test_an_error_has_a_word_for_counters_and_a_sentence_for_people() -> None:
    error = FramingError("too_large", "A message has 7 bytes; at most 3 are taken.")
    assert (error.reason, str(error)) == ("too_large", "A message has 7 bytes; at most 3 are taken.")
