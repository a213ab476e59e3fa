"""Texts on their way to a phone. Knows numbers, texts and keys, and no dossier."""
