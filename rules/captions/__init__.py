"""Captions and chapters: what a text file says, made to fit its lecture, written as WebVTT. Pure."""
