"""The one-file result page, made from run folders."""
