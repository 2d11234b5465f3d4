"""The names of topics, told to who cannot know them: subscribers of patterns, such as wildcards of MQTT."""
