"""Learners: networks, optimisers and one explicit update for each family."""
