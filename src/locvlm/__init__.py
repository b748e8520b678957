"""LocVLM: vision-language models that know where things are."""
