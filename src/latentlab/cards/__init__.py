"""The lab's questions as cards: what an experiment measured, and the words around it. No torch, nothing is trained here."""
