"""Objectives as pure functions: tensors in, nats per image [N] (or logits' losses) out. The caller averages, once."""
